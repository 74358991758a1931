// The guide's page writes into the element #current-response, which it makes when a question is sent and never lets go
// of: a second answer would be written over the first. Here each answer gets an element of its own, which has that id
// while a frame of the answer is handed to the page, and loses it for good at the answer's end.
//
// An element says how it is with its answer: data-raaf-state (see answers.js), and aria-busy while it is written.
//
// Nothing is done on a page without the guide's #chat-container.

const ID = "current-response"
const CLASSES = ["streaming", "complete", "stopped", "error"]

export class Bubbles {
  constructor(document = globalThis.document) {
    this.document = document
    this.known = new WeakSet()
    this.unanswered = [] // made by the page, and nobody has claimed them yet; the oldest first
  }

  // The element that the page has just made for a question, if it has.
  claim() {
    if (!this.#container()) return null

    const before = this.unanswered.length
    this.#collect()
    return this.unanswered.length > before ? this.unanswered.pop() : null
  }

  // The question was sent without an id: its element is for the next answer without one.
  release(bubble) {
    if (bubble) this.unanswered.push(bubble)
  }

  // Before the page sees a frame of the answer: what it writes goes into this answer's element.
  focus(answer) {
    if (!this.#container()) return

    this.place(answer)
    for (const element of this.#current()) if (element !== answer.bubble) element.removeAttribute("id")
    answer.bubble.id = ID
  }

  // An answer needs an element: one that waits for an answer without a request's id, or a new one.
  place(answer) {
    if (!this.#container()) return

    this.#collect()
    answer.bubble ??= (answer.requestId ? null : this.unanswered.shift()) ?? this.#make()
  }

  // After it has seen one. The page keeps one text for all its answers, so it may have written another one's into this;
  // where it shows more than plain text, that is its own.
  correct(answer) {
    const bubble = answer.bubble
    if (bubble && bubble.children.length === 0 && bubble.textContent !== answer.text) bubble.textContent = answer.text
  }

  // Says how it is with an answer that is being written, also with one that was given up before.
  mark(answer) {
    if (!answer.bubble) return

    if (!answer.bubble.classList.contains("streaming")) this.#become(answer.bubble, "streaming")
    this.#state(answer)
    answer.bubble.setAttribute("aria-busy", "true")
  }

  // After the last frame.
  retire(answer) {
    const { bubble, state } = answer
    if (!bubble) return

    bubble.removeAttribute("id")
    // A page that has finished it itself may have given it any class.
    if (state !== "complete" || bubble.classList.contains("streaming")) this.#become(bubble, state)
    this.#state(answer)
    bubble.removeAttribute("aria-busy")
  }

  // An error that came before there was a stream: of the question that has waited longest. False: none has.
  fail() {
    if (!this.#container()) return false

    this.#collect()
    const bubble = this.unanswered.shift()
    if (bubble) this.retire({ bubble, state: "error" })
    return bubble !== undefined
  }

  // The answer is shown elsewhere.
  remove(bubble) {
    bubble?.remove()
  }

  #state({ bubble, state, stream }) {
    bubble.setAttribute("data-raaf-state", state)
    if (stream) bubble.setAttribute("data-raaf-stream", stream)
  }

  #become(bubble, name) {
    for (const other of CLASSES) bubble.classList.remove(other)
    bubble.classList.add(name)
  }

  #container() {
    return this.document?.getElementById("chat-container")
  }

  #current() {
    return [...this.document.querySelectorAll(`#${ID}`)]
  }

  #collect() {
    for (const element of this.#current()) {
      if (this.known.has(element)) continue
      this.known.add(element)
      this.unanswered.push(element)
    }
  }

  #make() {
    const element = this.document.createElement("div")
    element.className = "agent-response streaming"
    this.known.add(element)
    this.#container().appendChild(element)
    return element
  }
}
