import { Answer, complete } from "raaf_streaming/answers"
import { isOurs } from "raaf_streaming/envelopes"

// Writes answers: hands their frames to the page, keeps its elements right, and ends each answer in complete, stopped or
// error.

export const INTERRUPTED = "The answer was interrupted"
// The question was never acknowledged.
export const UNREACHED = "The server could not be reached"

export class Writer {
  constructor({ answers, bubbles, events }) {
    Object.assign(this, { answers, bubbles, events })
    this.watch = null // set once
  }

  // A question is on its way.
  sent(answer) {
    this.bubbles.correct(answer)
    this.#goOn(answer, "sent")
  }

  // It was sent to a channel that is none of ours.
  unsent(answer) {
    this.watch.end(answer)
    this.answers.unask(answer)
    this.bubbles.release(answer.bubble)
  }

  // The server has said which stream answers a request. Returns the answer, if somebody here has asked.
  named(requestId, stream) {
    const asked = this.answers.asked(requestId)
    const answer = this.answers.acknowledged(requestId, stream)
    if (answer !== asked) this.#merge(asked, answer)
    return answer
  }

  // The server has it, and has not begun to write, or will begin anew.
  wait(answer) {
    this.#goOn(answer, "waiting")
  }

  // It is being written, though no frame has come.
  run(answer) {
    this.#goOn(answer, "running")
  }

  // A frame with a stamp, in its turn.
  write(channel, answer, frame, again) {
    // It comes on two ways, and is shown once.
    if (answer.channel && answer.channel !== channel) return channel.hand(frame)

    answer.channel = channel
    answer.vain = 0
    const anew = again || frame.raaf.reset === true || frame.raaf.seq === 1
    if (anew) answer.text = ""
    if (again) answer.whole = false
    if (isCancelled(answer, frame)) return this.#stopAtLast(answer)

    const goesOn = again || (!answer.whole && answer.state !== "stopped")
    if (goesOn) Object.assign(answer, { state: "running", error: null })
    this.#show(answer, frame, anew)
    this.#after(answer, frame)
  }

  // The whole text so far, in place of frames that are not kept any more.
  rewrite(channel, answer, text, again) {
    const goesOn = !again && text.startsWith(answer.text)
    const content = goesOn ? text.slice(answer.text.length) : text
    const raaf = { stream_id: answer.stream, checkpoint: true, terminal: false, reset: !goesOn }
    this.write(channel, answer, { ...chunk("content", content, text), raaf }, again)
  }

  // What has no stamp is one answer after another; it may say which request it is for.
  unstamped(channel, frame) {
    const requestId = frame.raaf?.request_id ?? null
    if (frame.type === "agent_error") {
      channel.hand(frame)
      return this.#failAsked(channel, frame, requestId)
    }
    const answer = channel.unstamped.get(requestId) ?? this.#unstampedOf(channel, requestId)
    channel.unstamped.set(requestId, answer)
    this.watch.end(answer)
    answer.state = "running"
    this.#show(answer, frame, false)
    if (frame.chunk_type !== "complete") return this.events.change(answer)

    channel.unstamped.delete(requestId) // the next one is another answer
    this.#end(answer, "complete")
  }

  // The ends that no frame has told of. The page is told as by a frame.

  complete(answer) {
    answer.whole = true
    this.#close(answer, "complete")
  }

  stop(answer) {
    this.#close(answer, "stopped", { stopped: true })
  }

  fail(answer, error) {
    if (answer.stopping) return this.stop(answer)
    if (!answer.live) return

    answer.home?.hand({ type: "agent_error", error, raaf: { stream_id: answer.stream, request_id: answer.requestId } })
    this.#end(answer, "error", error)
  }

  // Nobody listens any more.
  leave(answer) {
    if (answer.live) this.#end(answer, "stopped")
  }

  // Frames were faster, and have an element already.
  #merge(asked, answer) {
    this.watch.end(asked)
    if (answer.bubble) this.bubbles.remove(asked.bubble)
    else answer.bubble = asked.bubble
  }

  #goOn(answer, state) {
    Object.assign(answer, { state, error: null })
    this.bubbles.mark(answer)
    this.watch.heard(answer)
    this.events.change(answer)
  }

  #show(answer, frame, anew) {
    this.bubbles.focus(answer)
    if (answer.live) this.bubbles.mark(answer)
    answer.home.hand(complete(answer, frame))
    if (anew || frame.chunk_type === "content") this.bubbles.correct(answer)
  }

  #after(answer, frame) {
    if (frame.raaf.terminal === true) {
      answer.whole = true
      return frame.type === "agent_error" ? this.#end(answer, "error", frame.error) : this.#end(answer, "complete")
    }
    if (!answer.live) return this.#end(answer, answer.state, answer.error)

    if (answer.home.known) this.watch.heard(answer)
    this.events.change(answer)
  }

  #stopAtLast(answer) {
    answer.whole = true
    this.stop(answer)
  }

  #close(answer, state, metadata = {}) {
    const raaf = { stream_id: answer.stream, request_id: answer.requestId, terminal: true }
    this.bubbles.focus(answer)
    answer.home?.hand({ ...chunk("complete", "", answer.text), metadata, raaf })
    this.#end(answer, state)
  }

  #end(answer, state, error = null) {
    Object.assign(answer, { state, error, stopping: false })
    this.watch.end(answer)
    this.bubbles.retire(answer)
    this.events.change(answer)
  }

  #unstampedOf(channel, requestId) {
    const asked = requestId ? this.answers.asked(requestId) : this.answers.unanswered(channel)[0]
    return asked ?? new Answer({ via: channel, requestId })
  }

  // An error that came before there was a stream: of the request that it names, else of the one that waits longest.
  #failAsked(channel, frame, requestId) {
    if (!requestId && this.bubbles.fail()) return

    const answer = requestId ? this.answers.asked(requestId) : this.answers.unanswered(channel)[0]
    if (answer?.live) this.#end(answer, "error", frame.error)
  }
}

function chunk(chunkType, content, cumulative) {
  return { type: "agent_chunk", chunk_type: chunkType, content, cumulative, metadata: {} }
}

function isCancelled(answer, frame) {
  return frame.raaf.terminal === true && frame.type === "agent_error" && (answer.stopping || frame.raaf.cancelled === true)
}
