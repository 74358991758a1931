// Puts the frames of each stream in the order in which they were sent, and drops those that come twice.
//
// Action Cable reorders what it sends, with every adapter. So the server stamps each frame of a stream
// (RAAF::Streaming::BroadcastStamp) with the stream's id, a number from 1 without a gap, and which attempt of a job it
// comes from; here they wait until it is their turn. What has no stamp is handed on at once.
//
// A frame that was lost is waited for `patience` milliseconds. Then it is asked for, where the server keeps frames;
// elsewhere the ones behind it go on without it.

// Streams whose numbers are remembered, so that a late double is known for one.
const MAX_STREAMS = 200
// Frames of a stream that wait for one that is missing.
const MAX_WAITING = 2000

export class Frames {
  // deliver(frame, {stream, gap, again}): stream is the id, null for a frame without a stamp; gap tells that frames
  // before this one are missing; again that the answer begins anew, by a job that runs another time.
  // missing(stream) asks for the frames after {position}; false: nobody can be asked.
  constructor(deliver, { patience = 3000, timers = globalThis, missing = () => false } = {}) {
    Object.assign(this, { deliver, patience, timers, missing })
    this.streams = new Map()
  }

  take(frame) {
    const stamp = frame?.raaf
    if (!stamp?.stream_id || !Number.isInteger(stamp.seq)) return this.deliver(frame, { stream: null, gap: false, again: false })

    const state = this.#stateOf(stamp.stream_id)
    if (!this.#isOf(state, stamp) || stamp.seq < state.next || state.waiting.has(stamp.seq)) return
    // Too large for its way: the server keeps it.
    if (stamp.fetch && this.missing(state.stream)) return

    state.waiting.set(stamp.seq, stamp.fetch ? { ...frame, content: "" } : frame)
    if (state.waiting.size > MAX_WAITING) this.#unload(state)
    this.#deliverWhatIsNext(state)
  }

  // What stands for all frames up to its number.
  checkpoint(frame) {
    const { stream_id: stream, attempt = 1, seq } = frame.raaf
    const state = this.#stateOf(stream)
    const newer = attempt > state.attempt
    if (!this.#isOf(state, frame.raaf) || (!newer && seq < state.next)) return

    state.next = seq + 1
    for (const number of [...state.waiting.keys()]) if (number <= seq) state.waiting.delete(number)
    const { again } = state
    state.gap = state.again = false
    this.deliver(frame, { stream, gap: false, again })
    this.#deliverWhatIsNext(state)
  }

  // How far a stream has come.
  position(stream) {
    const state = this.streams.get(stream)
    return state ? { attempt: state.attempt, seq: state.next - 1 } : { attempt: 0, seq: 0 }
  }

  // The streams that something is missing of.
  get incomplete() {
    return [...this.streams.values()].filter(({ waiting }) => waiting.size > 0).map(({ stream }) => stream)
  }

  // The missing ones will not come: goes on from the first frame that has the whole text. False: there is none.
  leap(stream) {
    const state = this.streams.get(stream)
    const whole = [...(state?.waiting ?? [])].filter(([, frame]) => typeof frame.cumulative === "string")
    if (whole.length === 0) return false

    this.#skipTo(state, Math.min(...whole.map(([seq]) => seq)))
    this.#deliverWhatIsNext(state)
    return true
  }

  // Nobody listens any more.
  stop() {
    for (const state of this.streams.values()) this.timers.clearTimeout(state.timer)
  }

  #stateOf(stream) {
    let state = this.streams.get(stream)
    if (!state) {
      state = { stream, attempt: 0, next: 1, waiting: new Map(), timer: null, gap: false, again: false, ended: false }
      this.streams.set(stream, state)
      if (this.streams.size > MAX_STREAMS) this.#forgetOne()
    }
    return state
  }

  // Whether a frame is of the attempt that is heard; a newer one begins that.
  #isOf(state, { attempt = 1 }) {
    if (attempt > state.attempt) this.#begin(state, attempt)
    return attempt === state.attempt
  }

  #begin(state, attempt) {
    state.again = state.attempt > 0
    state.attempt = attempt
    state.next = 1
    state.gap = state.ended = false
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
      state.ended = frame.raaf.terminal === true
      this.deliver(frame, { stream, gap, again })
    }
    if (state.waiting.size > 0) state.timer = this.timers.setTimeout(() => this.#giveUp(state), this.patience)
  }

  #giveUp(state) {
    if (this.missing(state.stream)) return

    this.#skip(state)
    this.#deliverWhatIsNext(state)
  }

  // Too many wait: the server will send them again, or what is missing is given up.
  #unload(state) {
    if (this.missing(state.stream)) state.waiting.clear()
    else this.#skip(state)
  }

  #skip(state) {
    this.#skipTo(state, Math.min(...state.waiting.keys()))
  }

  #skipTo(state, seq) {
    if (seq <= state.next) return

    for (const number of [...state.waiting.keys()]) if (number < seq) state.waiting.delete(number)
    state.gap = true
    state.next = seq
  }

  // Rather one that is at its end.
  #forgetOne() {
    const states = [...this.streams.values()]
    const state = states.find((one) => one.ended) ?? states[0]
    this.timers.clearTimeout(state.timer)
    this.streams.delete(state.stream)
  }
}
