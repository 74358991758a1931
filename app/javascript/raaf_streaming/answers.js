// The answers of a page: the text of each so far, what was asked for it, where it is shown, and how it is with it:
//
//   sent       asked, and the server has not said yet that it knows
//   waiting    the server has it; or the job that wrote it goes back to its queue
//   running    it is being written
//   complete, stopped, error

const MAX_ANSWERS = 200
const LIVE = ["sent", "waiting", "running"]

export class Answer {
  constructor(fields = {}) {
    Object.assign(this, {
      stream: null, // the id; null: not known yet
      requestId: null,
      request: null, // {channel, action, data} of this page's own question
      via: null, // the channel by which it is known
      channel: null, // the one whose frames it is written from; null: none has come
      text: "", bubble: null, state: "running", error: null,
      whole: false, // the last frame of its attempt has come
      stopping: false,
      vain: 0, // how often the server was asked for what is missing and had nothing
      dropped: false, // another one has taken its place
    }, fields)
  }

  // Whom to ask about it, and tell the page through.
  get home() {
    return this.channel ?? this.via
  }

  get live() {
    return !this.dropped && LIVE.includes(this.state)
  }

  get retryable() {
    return !this.dropped && !this.live && this.request !== null
  }

  // What listeners and events are told.
  get about() {
    const { stream, requestId, state, text, error, bubble, retryable } = this
    return { streamId: stream, requestId, state, text, error, bubble, retryable }
  }
}

export class Answers {
  constructor() {
    this.all = new Set()
    this.streams = new Map()
    this.requests = new Map()
  }

  // The page has asked something.
  ask({ requestId, request, bubble }) {
    const answer = this.#add(new Answer({ requestId, request, bubble, via: request.channel, state: "sent" }))
    this.requests.set(requestId, answer)
    return answer
  }

  // It was no question for us.
  unask(answer) {
    this.#remove(answer)
  }

  // The answer of a stream, also of one that is new.
  of(stream, requestId = null) {
    return this.find(stream) ?? this.#asked(stream, requestId) ?? this.#name(this.#add(new Answer({ requestId })), stream)
  }

  find(stream) {
    return this.streams.get(stream)
  }

  asked(requestId) {
    return this.requests.get(requestId)
  }

  // Those that a channel would have to tell about.
  at(channel) {
    return [...this.all].filter((answer) => answer.home === channel && !answer.dropped)
  }

  // The server has said which stream answers a request. Undefined: nobody here has asked.
  acknowledged(requestId, stream) {
    const asked = this.requests.get(requestId)
    if (!asked || asked.stream || !stream) return asked

    const known = this.find(stream)
    if (!known) return this.#name(asked, stream)
    // Frames were faster, and did not say whose they are.
    this.#remove(asked)
    this.requests.set(requestId, known)
    return Object.assign(known, { requestId, request: asked.request })
  }

  // Questions of a channel that nothing has come for yet; the oldest first.
  unanswered(channel) {
    return [...this.all].filter((answer) => ["sent", "waiting"].includes(answer.state) && answer.text === "" &&
      !answer.dropped && answer.bubble && answer.request?.channel === channel)
  }

  get live() {
    return [...this.all].filter((answer) => answer.live)
  }

  #asked(stream, requestId) {
    const asked = requestId && this.requests.get(requestId)
    return asked && !asked.stream ? this.#name(asked, stream) : null
  }

  #name(answer, stream) {
    answer.stream = stream
    this.streams.set(stream, answer)
    return answer
  }

  // Of too many, rather one goes that is at its end.
  #add(answer) {
    this.all.add(answer)
    if (this.all.size > MAX_ANSWERS) this.#remove([...this.all].find((one) => !one.live) ?? [...this.all][0])
    return answer
  }

  #remove(answer) {
    this.all.delete(answer)
    if (this.streams.get(answer.stream) === answer) this.streams.delete(answer.stream)
    if (this.requests.get(answer.requestId) === answer) this.requests.delete(answer.requestId)
  }
}

// The frame with what is missing in it: the text that lost frames had, and on the last one the whole text. The answer's
// text goes on by it.
export function complete(answer, frame) {
  if (frame.type !== "agent_chunk") return frame
  if (frame.chunk_type === "content") return content(answer, frame)
  if (frame.chunk_type !== "complete") return frame

  answer.text = frame.cumulative || answer.text
  return { ...frame, cumulative: answer.text }
}

function content(answer, frame) {
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
