import { webcrypto } from "node:crypto"

// As much of a document as the guide's page and our bubbles use.

// Browsers have these, and Node.js from 19 on.
globalThis.crypto ??= webcrypto
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail = null } = {}) {
    super(type)
    this.detail = detail
  }
}

class Element {
  constructor(document) {
    this.document = document
    this.children = []
    this.parent = null
    this.className = ""
    this.own = ""
    this.attributes = new Map()
    this.listeners = []
  }

  get id() { return this.attributes.get("id") ?? "" }
  set id(value) { this.attributes.set("id", value) }
  setAttribute(name, value) { this.attributes.set(name, String(value)) }
  getAttribute(name) { return this.attributes.get(name) ?? null }
  removeAttribute(name) { this.attributes.delete(name) }
  appendChild(child) { this.#insert(child, this.children.length) }
  after(child) { this.parent.#insert(child, this.parent.children.indexOf(this) + 1) }
  remove() { this.parent.children.splice(this.parent.children.indexOf(this), 1) }
  focus() { this.document.activeElement = this }
  closest(selector) { return `#${this.id}` === selector ? this : this.parent?.closest(selector) ?? null }
  addEventListener(_, listener) { this.listeners.push(listener) }
  click() {
    if (this.disabled) return
    this.listeners.forEach((listener) => listener({ target: this }))
    this.document.listeners.forEach((listener) => listener({ target: this }))
  }

  #insert(child, index) {
    child.parent = this
    this.children.splice(index, 0, child)
  }

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
    this.listeners = []
    this.events = []
    this.activeElement = null
    this.body = new Element(this)
    this.container = this.add("chat-container")
  }

  add(id) {
    const element = this.createElement("div")
    element.id = id
    this.body.appendChild(element)
    return element
  }

  createElement() { return new Element(this) }
  addEventListener(_, listener) { this.listeners.push(listener) }
  dispatchEvent(event) { this.events.push(event) }
  querySelectorAll(selector) { return this.#all(this.body).filter((element) => `#${element.id}` === selector) }
  getElementById(id) { return this.querySelectorAll(`#${id}`)[0] ?? null }
  #all(element) { return [element, ...element.children.flatMap((child) => this.#all(child))] }

  // What a person sees: [class, text] of each element of the chat.
  get shown() { return this.container.children.map((element) => [element.className, element.textContent]) }
  // How it is with each answer, as its element says.
  get states() { return this.container.children.map((element) => element.getAttribute("data-raaf-state")).filter(Boolean) }
}

// Timers that go off when a test says so: all at once, or those whose time has come.
export class Timers {
  constructor() {
    this.set = new Map()
    this.now = 0
    this.count = 0
  }

  setTimeout = (job, delay = 0) => {
    const id = (this.count += 1)
    this.set.set(id, { job, at: this.now + delay })
    return id
  }

  clearTimeout = (id) => { this.set.delete(id) }

  fire() {
    const jobs = [...this.set.values()]
    this.set.clear()
    jobs.forEach(({ job }) => job())
  }

  // In the order of their times, also those that are set meanwhile.
  pass(time) {
    const end = this.now + time
    for (let next; (next = this.#nextUntil(end)); ) {
      const [id, { job, at }] = next
      this.set.delete(id)
      this.now = at
      job()
    }
    this.now = end
  }

  #nextUntil(end) {
    const due = [...this.set].filter(([, { at }]) => at <= end)
    return due.sort(([, one], [, other]) => one.at - other.at)[0]
  }
}

// Action Cable's consumer, as far as the wrapper touches it.
class Subscription {
  constructor(channel, mixin) {
    this.channel = channel
    this.performed = []
    Object.assign(this, mixin)
  }

  perform(action, data) {
    this.performed.push([action, data])
    this.heard?.(action, data)
  }

  unsubscribe() { this.left = true }
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
