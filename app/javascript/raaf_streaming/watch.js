// Looks after answers that are being written: while one is silent the server is asked how it goes, after `silence`
// milliseconds, then after twice as long, and so on up to MOST; and when there was no sign of life for `limit`
// milliseconds, neither of the answer nor from the server, the answer is given up.

const MOST = 30_000

export class Watch {
  // ask(answer), lost(answer)
  constructor({ ask, lost, silence = 5000, limit = 60_000, timers = globalThis }) {
    Object.assign(this, { ask, lost, silence, limit, timers })
    this.watched = new Map()
  }

  // The answer has gone on.
  heard(answer) {
    this.#start(answer, this.silence)
  }

  // The server says that it lives.
  alive(answer) {
    this.#start(answer, this.watched.get(answer)?.delay ?? this.silence)
  }

  // Something is about to happen to it.
  hurry(answer) {
    this.#start(answer, Math.min(500, this.silence))
  }

  end(answer) {
    this.timers.clearTimeout(this.watched.get(answer)?.timer)
    this.watched.delete(answer)
  }

  #start(answer, delay) {
    this.end(answer)
    const state = { delay, silent: 0 }
    this.watched.set(answer, state)
    this.#wait(answer, state)
  }

  #wait(answer, state) {
    const time = Math.min(state.delay, this.limit - state.silent)
    state.timer = this.timers.setTimeout(() => this.#look(answer, state, time), time)
  }

  #look(answer, state, time) {
    state.silent += time
    if (state.silent >= this.limit) {
      this.end(answer)
      return this.lost(answer)
    }
    state.delay = Math.min(state.delay * 2, Math.max(MOST, this.silence))
    this.#wait(answer, state)
    this.ask(answer)
  }
}
