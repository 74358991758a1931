import { INTERRUPTED } from "raaf_streaming/writer"

// Gets from the server what this page has missed of a channel's answers, and finds out how it is with those that are
// silent: the action raaf_resume of RAAF::Streaming::ChannelActions. The server sends the frames, and then how it is.

// Streams that are named at once: what the server takes.
const MAX_NAMED = 50
// How often the server is asked, ever more seldom, for frames that it says there are.
const MAX_VAIN = 4

export class Recovery {
  // send(data): false where nothing can be sent now.
  constructor({ channel, answers, writer, frames, memory, send }) {
    Object.assign(this, { channel, answers, writer, frames, memory, send })
    this.asked = new Map() // stream => whether more was missed since
    this.fresh = true
  }

  // After each confirmed subscription: for what this page shows, and on a fresh one for what the page before it was
  // waiting for. The server tells of what is being written besides.
  resume() {
    const shown = this.answers.at(this.channel).map((answer) => answer.stream).filter(Boolean)
    const before = this.fresh ? this.memory.streams : []
    this.fresh = false
    this.#send([...new Set([...before, ...shown, ...this.frames.incomplete])].slice(-MAX_NAMED))
  }

  // Something is missing of a stream; one question at a time.
  ask(stream) {
    if (this.asked.has(stream)) this.asked.set(stream, true)
    else this.#send([stream])
  }

  // Nothing was heard of it.
  insist(answer) {
    if (!answer.stream) return

    if (answer.vain > 0) answer.vain += 1
    this.#send([answer.stream])
  }

  // There will be no answer to what was asked.
  closed() {
    this.asked.clear()
  }

  // The frames have been sent; this is how it is with their streams.
  resumed(streams) {
    for (const [stream, now] of Object.entries(streams ?? {})) {
      const more = this.asked.get(stream)
      this.asked.delete(stream)
      const answer = this.#answerOf(stream, now)
      if (!answer || answer.dropped || answer.home !== this.channel) continue

      if (this.#isBehind(stream, now)) this.#missed(answer, now)
      else if (more) this.ask(stream)
      else this.#settle(answer, now)
    }
  }

  // Of a stream that the page does not know only what is still to come is of interest: of others it has the frames.
  #answerOf(stream, { state, request_id: requestId }) {
    const answer = this.answers.find(stream) ?? this.writer.named(requestId, stream)
    if (answer || !["running", "waiting"].includes(state)) return answer

    const found = this.answers.of(stream, requestId)
    found.via = this.channel
    this.writer.bubbles.place(found)
    return found
  }

  #isBehind(stream, { attempt = 0, last = 0 }) {
    const known = this.frames.position(stream)
    return last > 0 && (attempt > known.attempt || (attempt === known.attempt && last > known.seq))
  }

  // The server knows of frames that it did not send: there were too many for one answer, or it will have them a little
  // later; or not any more.
  #missed(answer, now) {
    if (answer.vain === 0) {
      answer.vain = 1
      this.writer.watch.hurry(answer)
      return this.ask(answer.stream)
    }
    if (answer.vain < MAX_VAIN || this.frames.leap(answer.stream)) return

    answer.vain = 0
    if (now.state === "cancelled") this.writer.stop(answer)
    else this.writer.fail(answer, INTERRUPTED)
  }

  #settle(answer, now) {
    answer.vain = 0
    if (answer.whole) return

    switch (now.state) {
      case "running":
        return this.#alive(answer, answer.state === "waiting" && !answer.text ? "waiting" : "running")
      case "waiting":
        return this.#alive(answer, "waiting")
      case "finished":
        return now.error ? this.writer.fail(answer, now.error) : this.writer.complete(answer)
      case "cancelled":
        return answer.state === "stopped" ? undefined : this.writer.stop(answer)
      default:
        if (!this.frames.leap(answer.stream)) this.writer.fail(answer, INTERRUPTED)
    }
  }

  #alive(answer, state) {
    if (answer.state === "stopped") return
    if (answer.state !== state) this.writer[state === "waiting" ? "wait" : "run"](answer)
    this.writer.watch.alive(answer)
  }

  #send(streams) {
    const from = Object.fromEntries(streams.map((stream) => [stream, this.frames.position(stream)]))
    if (this.send({ streams: from }) === false) return

    for (const stream of streams) this.asked.set(stream, false)
  }
}
