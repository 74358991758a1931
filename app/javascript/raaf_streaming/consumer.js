import { Answers } from "raaf_streaming/answers"
import { Bubbles } from "raaf_streaming/bubbles"
import { Channel } from "raaf_streaming/channel"
import { Events } from "raaf_streaming/events"
import { Memory } from "raaf_streaming/memory"
import { Streaming } from "raaf_streaming/streaming"
import { Watch } from "raaf_streaming/watch"
import { INTERRUPTED, UNREACHED, Writer } from "raaf_streaming/writer"

// Action Cable's consumer, with subscriptions that receive the frames of streams in order, each once, and in one form, and
// that lose nothing: neither what a page says while it is not connected, nor what the server sends meanwhile.
// Everything else is Action Cable's: the API is the same, and other channels are not touched. `consumer.streaming` stops
// answers, asks again, and tells how it is with them.
//
//   import { createConsumer } from "@rails/actioncable"
//   import { streamingConsumer } from "raaf_streaming"
//   export default streamingConsumer(createConsumer())
//
// options: document (for the guide's page); in milliseconds patience (for which a lost frame is waited for: 3,000),
// silence (after which the server is asked how it is with an answer: 5,000) and limit (after which an answer is given up
// that nothing is heard of, neither by the server: 60,000); storage (the tab's: sessionStorage); timers.
export function streamingConsumer(consumer, options = {}) {
  const { document, storage } = options
  const parts = { answers: new Answers(), bubbles: new Bubbles(document), events: new Events(document), memory: new Memory(storage), options }
  parts.events.on("change", () => parts.memory.keep(parts.answers.live))
  const writer = (parts.writer = new Writer(parts))
  writer.watch = new Watch({
    ...options,
    ask: (answer) => answer.home?.recovery.insist(answer),
    lost: (answer) => writer.fail(answer, answer.state === "sent" ? UNREACHED : INTERRUPTED),
  })
  const subscriptions = withOwn(consumer.subscriptions, {
    create(name, mixin = {}) {
      const channel = new Channel(mixin, parts)
      return (channel.subscription = consumer.subscriptions.create(name, { ...mixin, ...channel.callbacks }))
    },
  })
  return withOwn(consumer, { subscriptions, streaming: new Streaming(parts) })
}

// The object, with some of its properties replaced; its methods still see the object itself.
function withOwn(object, own) {
  return new Proxy(object, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name]

      const value = target[name]
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}
