// The guide's page writes into the element #current-response, which it makes when a question is sent and never lets go
// of: a second answer would be written over the first. Here each stream gets an element of its own, which has that id
// while a frame of the stream is handed to the page, and loses it for good at the stream's end.
//
// Nothing is done on a page without the guide's #chat-container.

const ID = "current-response"

export class Bubbles {
  constructor(document = globalThis.document) {
    this.document = document
    this.known = new WeakSet()
    this.unanswered = [] // made by the page, and no stream has claimed them yet; the oldest first
  }

  // Before the page sees a frame of the answer: what it writes goes into this answer's element.
  focus(answer) {
    if (!this.#container()) return

    this.#collect()
    answer.bubble ??= this.unanswered.shift() ?? this.#make()
    for (const element of this.#current()) if (element !== answer.bubble) element.removeAttribute("id")
    answer.bubble.id = ID
  }

  // After it has seen one. The page keeps one text for all its answers, so it may have written another one's into this;
  // where it shows more than plain text, that is its own.
  correct(answer) {
    const bubble = answer.bubble
    if (bubble && bubble.children.length === 0 && bubble.textContent !== answer.text) bubble.textContent = answer.text
  }

  // After the last one.
  retire(answer, failed) {
    const bubble = answer.bubble
    if (!bubble) return

    bubble.removeAttribute("id")
    if (failed || bubble.classList.contains("streaming")) {
      bubble.classList.remove("streaming")
      bubble.classList.add(failed ? "error" : "complete")
    }
  }

  // An error that came before there was a stream: of the question that has waited longest.
  fail() {
    if (!this.#container()) return

    this.#collect()
    const bubble = this.unanswered.shift()
    if (bubble) this.retire({ bubble }, true)
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
