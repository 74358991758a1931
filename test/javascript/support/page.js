// As much of a document as the guide's page and our bubbles use.

class Element {
  constructor(document) {
    this.document = document
    this.children = []
    this.className = ""
    this.own = ""
    this.attributes = new Map()
  }

  get id() { return this.attributes.get("id") ?? "" }
  set id(value) { this.attributes.set("id", value) }
  removeAttribute(name) { this.attributes.delete(name) }
  appendChild(child) { this.children.push(child) }
  get textContent() { return this.own + this.children.map((child) => child.textContent).join("") }
  set textContent(value) { this.own = value; this.children = [] }

  get classList() {
    const names = () => this.className.split(" ").filter(Boolean)
    return {
      contains: (name) => names().includes(name),
      add: (name) => { if (!names().includes(name)) this.className = [...names(), name].join(" ") },
      remove: (name) => { this.className = names().filter((other) => other !== name).join(" ") },
    }
  }
}

export class Page {
  constructor() {
    this.body = new Element(this)
    this.container = this.createElement("div")
    this.container.id = "chat-container"
    this.body.appendChild(this.container)
  }

  createElement() { return new Element(this) }
  querySelectorAll(selector) { return this.#all(this.body).filter((element) => `#${element.id}` === selector) }
  getElementById(id) { return this.querySelectorAll(`#${id}`)[0] ?? null }
  #all(element) { return [element, ...element.children.flatMap((child) => this.#all(child))] }

  // What a person sees: [class, text] of each element of the chat.
  get shown() { return this.container.children.map((element) => [element.className, element.textContent]) }
}

// Timers that go off when a test says so.
export class Timers {
  constructor() { this.set = new Map() }
  setTimeout = (job) => { const id = this.set.size + 1; this.set.set(id, job); return id }
  clearTimeout = (id) => { this.set.delete(id) }
  fire() { const jobs = [...this.set.values()]; this.set.clear(); jobs.forEach((job) => job()) }
}

// Action Cable's consumer, as far as the wrapper touches it.
class Subscription {
  constructor(channel, mixin) {
    this.channel = channel
    this.performed = []
    Object.assign(this, mixin)
  }

  perform(action, data) { this.performed.push([action, data]) }
}

export class Cable {
  constructor() {
    this.url = "/cable"
    this.created = []
    const consumer = this
    this.subscriptions = {
      consumer,
      create(channel, mixin) {
        const subscription = new Subscription(channel, mixin)
        consumer.created.push(subscription)
        return subscription
      },
    }
  }

  connect() { this.connected = true; return this }
}

export function frame(stream, seq, fields = {}, stamp = {}) {
  return {
    type: "agent_chunk", chunk_type: "content", content: `${seq} `, metadata: {},
    raaf: { stream_id: stream, seq, attempt: 1, terminal: false, ...stamp }, ...fields,
  }
}

// The whole answer, word by word, as the guide's channel sends it.
export function answer(stream, words) {
  let cumulative = ""
  const frames = words.map((word, index) => {
    cumulative += word
    return frame(stream, index + 1, { content: word, cumulative })
  })
  const last = { chunk_type: "complete", content: "", cumulative }
  return [...frames, frame(stream, words.length + 1, last, { terminal: true })]
}

// Random, but the same each time: a test that fails can be run again.
export function shuffled(list, seed) {
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648
  const result = [...list]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]]
  }
  return result
}
