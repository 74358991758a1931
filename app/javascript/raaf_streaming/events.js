// What those hear of answers who write their own page: consumer.streaming.on("change", …), and on the document an event
// "raaf:stream", whose detail is the same.

export class Events {
  constructor(document = globalThis.document) {
    this.document = document
    this.listeners = new Map()
  }

  // Returns what ends it.
  on(name, listener) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set())
    this.listeners.get(name).add(listener)
    return () => this.listeners.get(name).delete(listener)
  }

  emit(name, detail) {
    for (const listener of this.listeners.get(name) ?? []) protect(() => listener(detail))
  }

  change(answer) {
    const detail = answer.about
    this.emit("change", detail)
    if (this.document?.dispatchEvent && globalThis.CustomEvent) {
      this.document.dispatchEvent(new CustomEvent("raaf:stream", { detail }))
    }
  }
}

// Code of the page's that raises is reported, and stops nothing of ours.
export function protect(job) {
  try {
    job()
  } catch (error) {
    (globalThis.reportError ?? console.error)(error)
  }
}
