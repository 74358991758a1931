// Keeps what a page says to its channel until the server has confirmed the subscription: Action Cable drops it without a
// word when the socket is not open yet, or not any more.

// What waits at most; of more the oldest goes.
const MAX_WAITING = 100

export class Outbox {
  constructor() {
    this.open = false
    this.waiting = []
  }

  // perform(action, data) sends.
  send(action, data, perform) {
    if (this.open) return perform(action, data)

    this.waiting.push([action, data])
    if (this.waiting.length > MAX_WAITING) this.waiting.shift()
  }

  opened(perform) {
    this.open = true
    for (const [action, data] of this.waiting.splice(0)) perform(action, data)
  }

  closed() {
    this.open = false
  }

  // The server wants nothing of this page.
  rejected() {
    this.closed()
    this.waiting = []
  }
}
