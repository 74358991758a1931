// Which answers a tab is waiting for, for the next page in it: a page that is loaded anew in mid-answer asks for them,
// also where they have come to their end meanwhile.

const KEY = "raaf_streaming.waiting"
const MOST = 20

export class Memory {
  constructor(storage = sessionStorageOrNone()) {
    this.storage = storage
    this.last = this.storage?.getItem(KEY) ?? "[]"
    this.before = parse(this.last)
  }

  // The streams that the page before was waiting for.
  get streams() {
    return this.before
  }

  keep(live) {
    const now = JSON.stringify(live.map((answer) => answer.stream).filter(Boolean).slice(-MOST))
    if (now === this.last) return

    this.last = now
    try {
      this.storage?.setItem(KEY, now)
    } catch {
      // Full: then the next page does not know.
    }
  }
}

function parse(text) {
  try {
    const streams = JSON.parse(text)
    return Array.isArray(streams) ? streams.filter((stream) => typeof stream === "string").slice(-MOST) : []
  } catch {
    return []
  }
}

// A browser may forbid it.
function sessionStorageOrNone() {
  try {
    return globalThis.sessionStorage ?? null
  } catch {
    return null
  }
}
