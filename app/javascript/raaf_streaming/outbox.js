// Keeps what a page says to its channel until the server has confirmed the subscription: Action Cable drops it without a
// word when the socket is not open yet, or not any more.
//
// A channel that says hello (RAAF::Streaming::ChannelActions) gets each action with an id, and acknowledges it. What it
// has not acknowledged when the socket closes is sent again, with the same id, once there is a new one; the server
// performs it once. Another channel gets what the page says as it is, as soon as its subscription is confirmed.

// What waits at most, and what is not acknowledged; of more the oldest goes.
const MAX_KEPT = 100

export class Outbox {
  // perform(action, data) sends. sending(entry, numbered) is told before, and whether it goes with its id; dropped(entry)
  // of one that will never be sent. grace: milliseconds that a channel which has said hello before has for it after a
  // reconnect.
  constructor({ perform, sending = () => {}, dropped = () => {}, grace = 1000, timers = globalThis }) {
    Object.assign(this, { perform, sending, dropped, grace, timers })
    this.waiting = []
    this.unacknowledged = new Map()
    this.connection = 0
    this.known = false // has said hello, now or on an earlier connection
    this.#close()
  }

  // entry: {action, data, requestId}; control: one of our own actions, only for a channel that has said hello.
  say(entry) {
    if (this.flowing && (this.greeted || !entry.control)) return this.#send(entry)

    this.waiting.push(entry)
    if (this.waiting.length > MAX_KEPT) this.dropped(this.waiting.shift())
  }

  // Confirmed.
  opened() {
    this.open = true
    this.connection += 1
    if (this.greeted || !this.known) return this.#flow()

    this.timer = this.timers.setTimeout(() => this.#flow(), this.grace)
  }

  // The channel has said hello: before the confirmation or after it.
  greet() {
    this.greeted = this.known = true
    if (this.open) this.#flow()
  }

  // Whether our own actions can be sent now.
  get ready() {
    return this.flowing && this.greeted
  }

  closed() {
    this.timers.clearTimeout(this.timer)
    this.#close()
  }

  // The server wants nothing of this page.
  rejected() {
    this.closed()
    const entries = [...this.unacknowledged.values(), ...this.waiting.splice(0)]
    this.unacknowledged.clear()
    entries.forEach((entry) => this.dropped(entry))
  }

  // Returns what it was; `again` tells whether it was sent more than once.
  acknowledged(requestId) {
    const entry = this.unacknowledged.get(requestId)
    this.unacknowledged.delete(requestId)
    return entry
  }

  // Nobody wants it any more. Tells whether it has never been sent.
  withdraw(requestId) {
    this.unacknowledged.delete(requestId)
    const before = this.waiting.length
    this.waiting = this.waiting.filter((entry) => entry.requestId !== requestId)
    return this.waiting.length < before
  }

  #close() {
    this.open = this.greeted = this.flowing = false
    this.timer = null
  }

  #flow() {
    this.timers.clearTimeout(this.timer)
    this.flowing = true
    if (this.greeted) this.#sendAgain()
    for (const entry of this.waiting.splice(0)) this.say(entry)
  }

  #sendAgain() {
    for (const entry of [...this.unacknowledged.values()]) if (entry.connection !== this.connection) this.#send(entry)
  }

  #send(entry) {
    const { action, data, requestId } = entry
    if (entry.control) return this.perform(action, data)

    this.sending(entry, this.greeted)
    if (!this.greeted) return this.perform(action, data)

    entry.again = entry.connection !== undefined
    entry.connection = this.connection
    this.#keep(entry)
    return this.perform(action, { ...data, raaf: { request_id: requestId } })
  }

  #keep(entry) {
    this.unacknowledged.set(entry.requestId, entry)
    if (this.unacknowledged.size <= MAX_KEPT) return

    const [id, oldest] = this.unacknowledged.entries().next().value
    this.unacknowledged.delete(id)
    this.dropped(oldest)
  }
}
