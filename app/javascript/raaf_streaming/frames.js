// Puts the frames of each stream in the order in which they were sent, and drops those that come twice.
//
// Action Cable reorders what it sends, with every adapter. So the server stamps each frame of a stream
// (RAAF::Streaming::BroadcastStamp) with the stream's id, a number from 1 without a gap, and which attempt of a job it
// comes from; here they wait until it is their turn. What has no stamp is handed on at once.
//
// A frame that was lost is waited for `patience` milliseconds; then the ones behind it go on without it.

// Streams whose numbers are remembered, so that a late double is known for one.
const MAX_STREAMS = 200
// Frames of a stream that wait for one that is missing.
const MAX_WAITING = 2000

export class Frames {
  // deliver(frame, {stream, gap, again}): stream is the id, null for a frame without a stamp; gap tells that frames
  // before this one are missing; again that the answer begins anew, by a job that runs another time.
  constructor(deliver, { patience = 3000, timers = globalThis } = {}) {
    this.deliver = deliver
    this.patience = patience
    this.timers = timers
    this.streams = new Map()
  }

  take(frame) {
    const stamp = frame?.raaf
    if (!stamp?.stream_id || !Number.isInteger(stamp.seq)) return this.deliver(frame, { stream: null, gap: false, again: false })

    const state = this.#stateOf(stamp.stream_id)
    const attempt = stamp.attempt ?? 1
    if (attempt > state.attempt) this.#begin(state, attempt)
    if (attempt < state.attempt || stamp.seq < state.next || state.waiting.has(stamp.seq)) return

    state.waiting.set(stamp.seq, frame)
    if (state.waiting.size > MAX_WAITING) this.#skip(state)
    this.#deliverWhatIsNext(state)
  }

  #stateOf(stream) {
    let state = this.streams.get(stream)
    if (!state) {
      state = { stream, attempt: 0, next: 1, waiting: new Map(), timer: null, gap: false, again: false }
      this.streams.set(stream, state)
      if (this.streams.size > MAX_STREAMS) this.#forgetOldest()
    }
    return state
  }

  #begin(state, attempt) {
    state.again = state.attempt > 0
    state.attempt = attempt
    state.next = 1
    state.gap = false
    state.waiting.clear()
  }

  #deliverWhatIsNext(state) {
    this.timers.clearTimeout(state.timer)
    state.timer = null
    for (let frame; (frame = state.waiting.get(state.next)); ) {
      state.waiting.delete(state.next)
      state.next += 1
      const { stream, gap, again } = state
      state.gap = state.again = false
      this.deliver(frame, { stream, gap, again })
    }
    if (state.waiting.size > 0) state.timer = this.timers.setTimeout(() => this.#giveUp(state), this.patience)
  }

  #giveUp(state) {
    this.#skip(state)
    this.#deliverWhatIsNext(state)
  }

  #skip(state) {
    const first = Math.min(...state.waiting.keys())
    if (first > state.next) {
      state.gap = true
      state.next = first
    }
  }

  #forgetOldest() {
    const [stream, state] = this.streams.entries().next().value
    this.timers.clearTimeout(state.timer)
    this.streams.delete(stream)
  }
}
