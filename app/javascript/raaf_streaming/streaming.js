// consumer.streaming: what a page, or the controls of ours, can do with answers, and hear of them.
export class Streaming {
  constructor({ answers, writer, events }) {
    Object.assign(this, { answers, writer, events })
  }

  // The answers that are being written: [{streamId, requestId, state, text, error, bubble, retryable}].
  get live() {
    return this.answers.live.map((answer) => answer.about)
  }

  // on("change", listener): how it is with an answer has changed, or its text; the listener gets the same as `live` has.
  // on("refused", listener): the server wants no stop or resume of this page; {action, reason, message}.
  // Returns a function that ends it.
  on(name, listener) {
    return this.events.on(name, listener)
  }

  // Stops an answer, or all that are being written: the server ends them, and they stay as they are. Returns how many.
  stop(streamId) {
    const live = this.answers.live.filter((answer) => answer.home?.known && (!streamId || answer.stream === streamId))
    live.forEach((answer) => this.#stop(answer))
    return live.length
  }

  // Asks again what was asked for an answer that has ended, and writes the new one into its place.
  // what: a stream's id, a request's id or an element; without it the latest one that has failed. Returns whether it
  // could: the question is known to the page only that has asked it, until it is left.
  retry(what) {
    const answer = this.#ended(what)
    if (!answer) return false

    answer.request.channel.askAnew(answer)
    return true
  }

  // Stops an answer, and has the model go on by a new instruction; the latest one without an id. Returns whether there
  // is one.
  redirect(message, streamId) {
    const answer = this.answers.live.filter((one) => one.home?.known && one.stream && (!streamId || one.stream === streamId)).at(-1)
    if (!answer) return false

    answer.home.control("raaf_redirect", { stream_id: answer.stream, message })
    return true
  }

  #stop(answer) {
    const { home, stream, requestId } = answer
    if (home.outbox.withdraw(requestId)) return this.writer.stop(answer)

    answer.stopping = true
    home.control("raaf_stop", { ...(stream && { stream_id: stream }), ...(requestId && { request_id: requestId }) })
    this.writer.watch.hurry(answer)
    this.events.change(answer)
  }

  #ended(what) {
    const ended = [...this.answers.all].filter((answer) => answer.retryable)
    if (!what) return ended.filter((answer) => answer.state === "error").at(-1)

    return ended.filter((answer) => [answer.stream, answer.requestId, answer.bubble].includes(what)).at(-1)
  }
}
