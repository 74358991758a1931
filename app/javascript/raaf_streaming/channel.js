import { isOurs, normalize } from "raaf_streaming/envelopes"
import { protect } from "raaf_streaming/events"
import { Frames } from "raaf_streaming/frames"
import { Outbox } from "raaf_streaming/outbox"
import { Recovery } from "raaf_streaming/recovery"
import { uuid } from "raaf_streaming/uuid"

// One subscription: what Action Cable calls, and what the server says beside the frames. What it says to a channel of
// ours begins by "raaf_"; before it has said hello, everything is the application's.

const REFUSED = "The server refused the question"
const UNSENT = "The question could not be sent"

export class Channel {
  constructor(mixin, { answers, bubbles, writer, events, memory, options }) {
    Object.assign(this, { mixin, answers, bubbles, writer, events })
    this.subscription = null // set once it is there
    this.unstamped = new Map() // request id, or null => the answer without a stamp that is being written
    this.frames = new Frames((frame, about) => this.#deliver(frame, about), { ...options, missing: (stream) => this.#missing(stream) })
    this.outbox = new Outbox({
      ...options,
      perform: (action, data) => this.#prototype.perform.call(this.subscription, action, data),
      sending: (entry, numbered) => this.#sending(entry, numbered),
      dropped: (entry) => entry.answer && writer.fail(entry.answer, UNSENT),
    })
    this.recovery = new Recovery({ channel: this, answers, writer, frames: this.frames, memory,
      send: (data) => this.outbox.ready && this.outbox.say({ action: "raaf_resume", data, control: true }) })
  }

  // Whether it is one of ours.
  get known() {
    return this.outbox.known
  }

  // To the page.
  hand(frame) {
    protect(() => this.mixin.received?.call(this.subscription, frame))
  }

  // A question of the page's; bubble: where its answer goes.
  ask(action, data, bubble) {
    const entry = { action, data, requestId: uuid() }
    if (bubble || this.known) this.#track(entry, bubble)
    return this.outbox.say(entry)
  }

  // Asks again for an answer, in its place.
  askAnew(answer, data = answer.request.data) {
    answer.dropped = true
    this.writer.watch.end(answer)
    this.outbox.withdraw(answer.requestId)
    // It may only be that nothing was heard of it.
    if (answer.stream && !answer.whole) this.control("raaf_stop", { stream_id: answer.stream })
    this.ask(answer.request.action, data, answer.bubble)
  }

  // One of our own actions.
  control(action, data) {
    return this.outbox.say({ action, data, control: true })
  }

  // What Action Cable calls on the subscription, in place of the page's own.
  get callbacks() {
    const channel = this
    return {
      received(data) {
        channel.subscription = this
        channel.#received(data)
      },
      connected(...details) {
        channel.subscription = this
        channel.mixin.connected?.apply(this, details)
        channel.outbox.opened()
        channel.#resume()
      },
      disconnected(...details) {
        channel.#closed()
        channel.mixin.disconnected?.apply(this, details)
      },
      rejected(...details) {
        channel.outbox.rejected()
        channel.mixin.rejected?.apply(this, details)
      },
      perform(action, data = {}) {
        channel.subscription = this
        return channel.#perform(action, data)
      },
      unsubscribe() {
        channel.#leave()
        return Object.getPrototypeOf(this).unsubscribe.call(this)
      },
    }
  }

  get #prototype() {
    return Object.getPrototypeOf(this.subscription)
  }

  #perform(action, data) {
    return action.startsWith("raaf_") ? this.control(action, data) : this.ask(action, data, this.bubbles.claim())
  }

  #track(entry, bubble) {
    const { requestId, action, data } = entry
    entry.answer = this.answers.ask({ requestId, bubble, request: { channel: this, action, data } })
    this.writer.sent(entry.answer)
  }

  #sending(entry, numbered) {
    if (numbered && !entry.answer) this.#track(entry, null)
    if (!numbered && entry.answer) this.writer.unsent(entry.answer)
  }

  #received(data) {
    const tell = { raaf_hello: this.#hello, raaf_ack: this.#acknowledged, raaf_refused: this.#refused,
      raaf_checkpoint: this.frames.checkpoint, raaf_resumed: this.#resumed, raaf_handed_back: this.#handedBack,
      raaf_redirect_elsewhere: this.#redirectElsewhere }
    const own = data?.type === "raaf_hello" || this.known
    if (own && Object.hasOwn(tell, data?.type)) tell[data.type].call(data.type === "raaf_checkpoint" ? this.frames : this, data)
    else this.frames.take(data)
  }

  #hello() {
    this.outbox.greet()
    this.#resume()
  }

  // After the confirmation and the hello, whichever comes last.
  #resume() {
    if (this.outbox.ready) this.recovery.resume()
  }

  #closed() {
    this.outbox.closed()
    this.recovery.closed()
  }

  #leave() {
    this.#closed()
    this.frames.stop()
    for (const answer of this.answers.at(this)) this.writer.leave(answer)
  }

  #acknowledged({ request_id: requestId, stream_id: stream }) {
    const entry = this.outbox.acknowledged(requestId)
    const answer = this.writer.named(requestId, stream)
    if (answer?.live && answer.state === "sent") this.writer.wait(answer)
    // It may have been answered while the socket was closed.
    if (answer?.live && entry?.again) this.recovery.insist(answer)
  }

  #refused(data) {
    const answer = this.answers.asked(data.request_id)
    if (data.action?.startsWith("raaf_")) {
      return this.#refusedControl(data, answer)
    }
    this.outbox.acknowledged(data.request_id)
    if (answer) this.writer.fail(answer, data.message ?? REFUSED)
  }

  #refusedControl(data, answer) {
    if (data.action === "raaf_resume") this.recovery.closed()
    else for (const one of answer ? [answer] : this.answers.at(this)) one.stopping = false
    this.events.emit("refused", data)
  }

  #resumed({ streams }) {
    this.recovery.resumed(streams)
  }

  #handedBack({ raaf }) {
    const answer = this.answers.find(raaf?.stream_id)
    if (!answer || answer.dropped || answer.whole || answer.state === "stopped") return
    if ((raaf.attempt ?? 1) >= this.frames.position(raaf.stream_id).attempt) this.writer.wait(answer)
  }

  // The process that was asked does not write the answer: so it is stopped, and the question asked in other words.
  #redirectElsewhere({ stream_id: stream, message }) {
    const answer = this.answers.find(stream)
    if (answer?.live && answer.request) answer.request.channel.askAnew(answer, { ...answer.request.data, message })
  }

  #missing(stream) {
    if (!this.known) return false

    if (!this.answers.find(stream)?.dropped) this.recovery.ask(stream)
    return true
  }

  // A frame in its turn.
  #deliver(data, { stream, again }) {
    if (data?.type === "raaf_checkpoint") return this.#rewrite(data, again)
    if (!isOurs(data)) return this.hand(data)

    const frame = normalize(data)
    if (stream === null) return this.writer.unstamped(this, frame)

    const answer = this.answers.of(stream, frame.raaf.request_id)
    if (!answer.dropped) this.writer.write(this, answer, frame, again)
  }

  #rewrite({ text, raaf }, again) {
    const answer = this.answers.of(raaf.stream_id, raaf.request_id)
    if (!answer.dropped) this.writer.rewrite(this, answer, String(text ?? ""), again)
  }
}
