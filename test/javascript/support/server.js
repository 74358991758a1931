// A model of the server, as far as a page sees it: a channel with RAAF::Streaming::ChannelActions, a store that keeps
// frames, and ways on which they are lost, doubled and shuffled. What happens is drawn from a seed.
//
// Time is that of the test's timers.

// Mulberry32.
export function draws(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  return { next, upTo: (most) => Math.floor(next() * (most + 1)), chance: (part) => next() < part }
}

class Stream {
  constructor(id, requestId) {
    Object.assign(this, { id, requestId, attempt: 0, frames: [], texts: [""], kept: 0, state: "waiting", places: 0 })
  }

  begin() {
    this.attempt += 1
    this.frames = []
    this.kept = 0
    this.texts.push("")
    this.state = "running"
  }

  // stored: when the store has it.
  add(fields, stamp = {}, stored = 0) {
    const seq = this.frames.length + 1
    const raaf = { stream_id: this.id, seq, attempt: this.attempt, terminal: false, request_id: this.requestId, ...stamp }
    if (raaf.reset) this.texts.push("")
    this.texts[this.texts.length - 1] += fields.content ?? ""
    const frame = { type: "agent_chunk", chunk_type: "content", metadata: {}, ...fields, raaf }
    this.frames.push({ frame, text: this.text, stored })
    return frame
  }

  get text() { return this.texts.at(-1) }
  get last() { return this.frames.length }
  // The text of all frames up to a number.
  textAt(seq) { return seq === 0 ? "" : this.frames[seq - 1].text }
}

export class Server {
  // faults: how much of what is broadcast is lost, comes twice, as a pointer; up to how late (spread), and in the store.
  constructor({ timers, random, faults = {}, keeps = true }) {
    Object.assign(this, { timers, random, keeps })
    this.faults = { loss: 0, double: 0, spread: 0, pointer: 0, late: 0, ...faults }
    this.streams = new Map()
    this.performed = new Map() // request id => stream id
    this.asked = []
    this.pages = []
    this.onMessage = () => {}
    this.onChat = () => {}
    this.forgets = false
  }

  // A page's subscription; its socket is opened by open(). owed: the streams that it has heard of.
  join(subscription, { hello = "before" } = {}) {
    const page = { subscription, hello, socket: null, arrives: 0, owed: new Set() }
    subscription.heard = (action, data) => this.#hear(page, action, data)
    this.pages.push(page)
    return page
  }

  open(page) {
    page.socket = {}
    page.arrives = this.timers.now
    if (page.hello === "before") this.transmit(page, { type: "raaf_hello", protocol: 1 })
    this.#later(page, 1, () => page.subscription.connected({}))
    if (page.hello === "after") this.transmit(page, { type: "raaf_hello", protocol: 1 })
  }

  close(page) {
    if (!page.socket) return

    page.socket = null
    page.subscription.disconnected({ willAttemptReconnect: true })
  }

  // In order, and lost only with the socket.
  transmit(page, message) {
    this.#later(page, 2, () => this.#deliver(page, message))
  }

  broadcast(frame) {
    for (const page of this.pages) {
      const sent = this.random.chance(this.faults.pointer) && frame.raaf.seq ? this.#pointer(frame) : frame
      const copies = this.random.chance(this.faults.loss) ? 0 : this.random.chance(this.faults.double) ? 2 : 1
      for (let i = 0; i < copies; i++) this.#loose(page, this.random.upTo(this.faults.spread), () => this.#deliver(page, sent))
    }
  }

  // A stream writes a frame.
  say(stream, fields, stamp) {
    this.broadcast(stream.add(fields, stamp, this.timers.now + this.random.upTo(this.faults.late)))
  }

  finish(stream) {
    stream.state = "finished"
    this.say(stream, { chunk_type: "complete", content: "", cumulative: stream.text }, { terminal: true })
  }

  #pointer({ type, chunk_type: chunkType, raaf }) {
    return { type, chunk_type: chunkType, raaf: { ...raaf, fetch: true } }
  }

  #deliver(page, message) {
    page.subscription.received(structuredClone(message))
    if (message.raaf?.seq) page.owed.add(message.raaf.stream_id)
    for (const [id, { attempt }] of Object.entries(message.streams ?? {})) if (attempt > 0) page.owed.add(id)
    this.onMessage(page, message)
  }

  // One after another on a socket.
  #later(page, delay, job) {
    page.arrives = Math.max(page.arrives, this.timers.now + delay)
    this.#loose(page, page.arrives - this.timers.now, job)
  }

  #loose(page, delay, job) {
    const { socket } = page
    this.timers.setTimeout(() => { if (page.socket === socket && socket) job() }, delay)
  }

  #hear(page, action, data) {
    const { socket } = page
    if (!socket) return
    this.timers.setTimeout(() => { if (page.socket === socket) this.#perform(page, action, data) }, this.random.upTo(10))
  }

  #perform(page, action, data) {
    this.asked.push([action, data])
    if (action === "raaf_resume") return this.#resume(page, data)
    if (action === "raaf_stop") return this.#stop(data)
    if (action !== "chat") return

    const id = data.raaf?.request_id
    const known = this.performed.get(id)
    const stream = known ?? `s-${id ?? this.performed.size}`
    if (id) this.transmit(page, { type: "raaf_ack", request_id: id, stream_id: stream })
    if (known) return

    this.performed.set(id ?? stream, stream)
    this.streams.set(stream, new Stream(stream, id))
    this.onChat(this.streams.get(stream), data)
  }

  #resume(page, { streams }) {
    const live = (one) => ["running", "waiting"].includes(one.state)
    const found = [...this.streams.values()].filter((one) => streams[one.id] || live(one))
    const states = {}
    for (const stream of Object.keys(streams)) states[stream] = { state: "unknown", attempt: 0, last: 0 }
    for (const stream of this.forgets ? [] : found) {
      this.#replay(page, stream, streams[stream.id] ?? { attempt: 0, seq: 0 })
      const { state, attempt, last, requestId } = stream
      states[stream.id] = { state, attempt, last, request_id: requestId }
    }
    this.transmit(page, { type: "raaf_resumed", streams: states })
  }

  #replay(page, stream, { attempt, seq }) {
    let from = attempt === stream.attempt ? seq : 0
    if (stream.attempt > 0 && from < stream.kept) {
      from = stream.kept
      const raaf = { stream_id: stream.id, attempt: stream.attempt, seq: from, request_id: stream.requestId }
      this.transmit(page, { type: "raaf_checkpoint", text: stream.textAt(from), raaf })
    }
    const there = stream.frames.findIndex(({ stored }) => stored > this.timers.now)
    for (const { frame } of stream.frames.slice(from, there < 0 ? undefined : Math.max(from, there))) this.transmit(page, frame)
  }

  #stop({ stream_id: id, request_id: requestId }) {
    const stream = this.streams.get(id ?? this.performed.get(requestId))
    if (stream && ["running", "waiting"].includes(stream.state)) stream.state = "cancelled"
  }
}
