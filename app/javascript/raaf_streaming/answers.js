// The answers that are being written: the text of each so far, whatever frames were lost.

const MAX_ANSWERS = 200

export class Answers {
  constructor() {
    this.answers = new Map()
  }

  // Null stands for what has no stamp.
  of(stream) {
    let answer = this.answers.get(stream)
    if (!answer) {
      answer = { stream, text: "", bubble: null }
      this.answers.set(stream, answer)
      if (this.answers.size > MAX_ANSWERS) this.answers.delete(this.answers.keys().next().value)
    }
    return answer
  }

  // The frame with what is missing in it: the text that lost frames had, and on the last one the whole text.
  complete(answer, frame) {
    if (frame.type !== "agent_chunk") return frame

    if (frame.chunk_type === "content") return this.#content(answer, frame)
    if (frame.chunk_type === "complete") return { ...frame, cumulative: frame.cumulative || answer.text }
    return frame
  }

  #content(answer, frame) {
    const before = answer.text
    const said = frame.content ?? ""
    const whole = frame.cumulative
    if (typeof whole !== "string") {
      answer.text = before + said
      return frame
    }
    answer.text = whole
    const missing = whole.length !== before.length + said.length && whole.startsWith(before)
    return missing ? { ...frame, content: whole.slice(before.length) } : frame
  }
}
