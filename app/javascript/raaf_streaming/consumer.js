import { Answers } from "raaf_streaming/answers"
import { Bubbles } from "raaf_streaming/bubbles"
import { isOurs, normalize } from "raaf_streaming/envelopes"
import { Frames } from "raaf_streaming/frames"
import { Outbox } from "raaf_streaming/outbox"

// Action Cable's consumer, with subscriptions that receive the frames of streams in order, each once, and in one form, and
// that lose nothing that a page says while it is not connected.
// Everything else is Action Cable's: the API is the same, and other channels are not touched.
//
//   import { createConsumer } from "@rails/actioncable"
//   import { streamingConsumer } from "raaf_streaming"
//   export default streamingConsumer(createConsumer())
//
// options: document (for the guide's page), patience (milliseconds that a lost frame is waited for), timers.
export function streamingConsumer(consumer, options = {}) {
  const bubbles = new Bubbles(options.document)
  const subscriptions = withOwn(consumer.subscriptions, {
    create: (channel, mixin = {}) =>
      consumer.subscriptions.create(channel, { ...mixin, ...inOrder(mixin, bubbles, options), ...reliably(mixin) }),
  })
  return withOwn(consumer, { subscriptions })
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

function inOrder(mixin, bubbles, options) {
  const answers = new Answers()
  let subscription
  const hand = (frame) => mixin.received?.call(subscription, frame)
  const frames = new Frames((frame, about) => show(frame, about, { answers, bubbles, hand }), options)
  return {
    received(data) {
      subscription = this
      frames.take(data)
    },
  }
}

function reliably(mixin) {
  const outbox = new Outbox()
  const performing = (subscription) => Object.getPrototypeOf(subscription).perform.bind(subscription)
  return {
    connected(...details) {
      mixin.connected?.apply(this, details)
      outbox.opened(performing(this))
    },
    disconnected(...details) {
      outbox.closed()
      mixin.disconnected?.apply(this, details)
    },
    rejected(...details) {
      outbox.rejected()
      mixin.rejected?.apply(this, details)
    },
    perform(action, data = {}) {
      return outbox.send(action, data, performing(this))
    },
  }
}

function show(data, about, { answers, bubbles, hand }) {
  if (!isOurs(data)) return hand(data)

  const frame = normalize(data)
  const failed = frame.type === "agent_error"
  if (about.stream === null && failed) {
    hand(frame)
    return bubbles.fail()
  }
  const answer = answers.of(about.stream)
  if (about.again) answer.text = ""
  bubbles.focus(answer)
  hand(answers.complete(answer, frame))
  if (frame.chunk_type === "content") bubbles.correct(answer)
  if (isLast(frame)) end(answer, answers, bubbles, failed)
}

// Without a stamp there is no telling whether an error is the last; a :complete always is.
function isLast(frame) {
  return frame.raaf ? frame.raaf.terminal === true : frame.chunk_type === "complete"
}

function end(answer, answers, bubbles, failed) {
  bubbles.retire(answer, failed)
  if (answer.stream === null) answers.answers.delete(null) // the next one without a stamp is another answer
}
