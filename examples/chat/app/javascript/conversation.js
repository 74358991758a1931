// The list of what was said. A question and its answer are told apart by the request's id; in another tab, or after a
// reload, an answer may only be known by its stream's.

const NOTES = {
  sent: "sending", waiting: "thinking", running: "", complete: "", stopped: "stopped", error: "",
}
const STATES = { sent: "asked", waiting: "asked", running: "running", complete: "complete", stopped: "stopped", error: "failed" }

export class Conversation {
  constructor(list, { retry }) {
    this.list = list
    this.retry = retry
    this.unsent = [] // questions of this page that have no id yet; the oldest first
    this.questions = new Map() // request => element
    this.answers = new Map() // request or stream => element
    for (const element of list.querySelectorAll("[data-request]")) this.questions.set(element.dataset.request, element)
  }

  // This page asks.
  asking(text) {
    this.unsent.push(this.#add("user", text))
    this.#scroll()
  }

  // A question that the server has; of this page or of another.
  question(text, request) {
    if (this.questions.has(request)) return

    const element = this.unsent.find((one) => one.textContent === text)
    if (element) this.#name(element, request)
    else this.#place(this.#add("user", text), request)
  }

  // How it is with an answer.
  answer({ streamId, requestId, state, text, error, retryable }) {
    const element = this.#answerOf(requestId, streamId)
    element.dataset.state = STATES[state]
    element.querySelector("p").textContent = text
    element.querySelector(".state").textContent = error ?? NOTES[state]
    this.#offerRetry(element, retryable && (state === "error" || state === "stopped"), requestId)
    this.#scroll()
  }

  tool(stream, name) {
    const note = this.answers.get(stream)?.querySelector(".tools")
    if (note) note.textContent = `${note.textContent} 🔧 ${name}`.trim()
  }

  #answerOf(request, stream) {
    const element = this.answers.get(request) ?? this.answers.get(stream) ?? this.#newAnswer(request)
    if (request) this.answers.set(request, element)
    if (stream) this.answers.set(stream, element)
    return element
  }

  #newAnswer(request) {
    if (request && !this.questions.has(request) && this.unsent.length > 0) this.#name(this.unsent[0], request)
    const element = this.#add("assistant", "")
    for (const name of ["tools", "state"]) {
      const note = document.createElement("span")
      note.className = `note ${name}`
      name === "tools" ? element.prepend(note) : element.append(note)
    }
    this.questions.get(request)?.after(element)
    return element
  }

  #name(element, request) {
    this.unsent = this.unsent.filter((one) => one !== element)
    this.questions.set(request, element)
  }

  // Before its answer, where that was faster.
  #place(element, request) {
    this.#name(element, request)
    this.answers.get(request)?.before(element)
  }

  #add(role, text) {
    const element = document.createElement("li")
    element.className = role
    const words = document.createElement("p")
    words.textContent = text
    element.append(words)
    this.list.append(element)
    return element
  }

  #offerRetry(element, wanted, request) {
    const there = element.querySelector("button")
    if (!wanted) return there?.remove()
    if (there) return

    const button = document.createElement("button")
    button.type = "button"
    button.className = "retry"
    button.textContent = "Retry"
    button.addEventListener("click", () => this.#again(element, request))
    element.append(button)
  }

  // The new answer takes the place of the one that failed.
  #again(element, request) {
    const question = this.questions.get(request)
    element.remove()
    if (question) this.unsent.unshift(question)
    if (!this.retry(request) && question) this.unsent.shift()
  }

  #scroll() {
    this.list.lastElementChild?.scrollIntoView({ block: "end" })
  }
}
