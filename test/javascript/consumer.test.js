import assert from "node:assert/strict"
import { test } from "node:test"
import { streamingConsumer } from "raaf_streaming"
import { answer, Cable, frame, Page, shuffled, Timers } from "./support/page.js"
import { absent, guideChat } from "./support/guide_chat.js"

const setUp = () => {
  const cable = new Cable()
  const page = new Page()
  const timers = new Timers()
  const consumer = streamingConsumer(cable, { document: page, timers })
  return { cable, page, timers, consumer }
}

const withChat = () => {
  const parts = setUp()
  const chat = guideChat(parts.consumer, parts.page)
  const [subscription] = parts.cable.created
  subscription.connected()
  return { ...parts, chat, subscription, receive: (frames) => frames.forEach((one) => subscription.received(one)) }
}

test("everything but subscriptions is Action Cable's own", () => {
  const { cable, consumer } = setUp()
  consumer.connect()
  assert.equal(cable.connected, true)
  assert.equal(consumer.url, "/cable")
  assert.equal(consumer.subscriptions.consumer, cable)
})

test("a subscription is Action Cable's, and callbacks see it as this", () => {
  const { cable, consumer } = setUp()
  const seen = []
  const mixin = { own() {}, connected(details) { seen.push([this, details]) }, received(data) { seen.push([this, data]) } }
  const subscription = consumer.subscriptions.create({ channel: "X", room: 1 }, mixin)
  subscription.received({ hello: 1 })
  subscription.connected({ reconnected: false })
  assert.equal(subscription, cable.created[0])
  assert.deepEqual(subscription.channel, { channel: "X", room: 1 })
  assert.equal(subscription.own, mixin.own)
  assert.deepEqual(seen, [[subscription, { hello: 1 }], [subscription, { reconnected: false }]])
})

test("what a page says before it is connected, or after it was, is said once it is", () => {
  const { consumer } = setUp()
  const subscription = consumer.subscriptions.create("X", { connected() { this.perform("first") } })
  subscription.perform("chat", { message: "early" })
  assert.deepEqual(subscription.performed, [])
  subscription.connected()
  subscription.perform("chat", { message: "now" })
  subscription.disconnected()
  subscription.perform("chat", { message: "late" })
  const said = () => subscription.performed.map(([action, data]) => data.message ?? action)
  assert.deepEqual(said(), ["early", "first", "now"])
  subscription.connected()
  assert.deepEqual(said(), ["early", "first", "now", "late", "first"])
})

test("what a page said is forgotten where the server turns it away", () => {
  const { consumer } = setUp()
  const subscription = consumer.subscriptions.create("X", {})
  for (let i = 0; i < 200; i++) subscription.perform("chat", { message: i })
  subscription.rejected()
  subscription.connected()
  assert.deepEqual(subscription.performed, [])
})

test("a subscription without callbacks receives without a fault", () => {
  const { consumer } = setUp()
  consumer.subscriptions.create("X").received(frame("a", 1))
})

test("a page without the guide's container gets its frames, and no elements", () => {
  const { page, consumer } = setUp()
  page.container.id = "other"
  const seen = []
  const subscription = consumer.subscriptions.create("X", { received: (data) => seen.push(data.content) })
  for (const one of answer("a", ["Hel", "lo"])) subscription.received(one)
  assert.deepEqual(seen, ["Hel", "lo", ""])
  assert.deepEqual(page.shown, [])
})

test("the guide's page shows two answers, one below the other", { skip: absent }, () => {
  const { chat, page, receive, subscription } = withChat()
  chat.sendMessage("one")
  receive(answer("a", ["Hel", "lo"]))
  chat.sendMessage("two")
  receive(answer("b", ["Good", "bye"]))
  assert.deepEqual(page.shown, [["agent-response complete", "Hello"], ["agent-response complete", "Goodbye"]])
  assert.deepEqual(subscription.performed.map((one) => one[1].message), ["one", "two"])
  assert.equal(page.getElementById("current-response"), null)
})

test("the guide's page shows the right text after every frame, shuffled and doubled", { skip: absent }, () => {
  const words = Array.from({ length: 30 }, (_, i) => `w${i} `)
  for (let seed = 1; seed <= 100; seed++) {
    const { chat, page, receive, subscription } = withChat()
    chat.sendMessage("one")
    const frames = answer("a", words)
    for (const one of shuffled([...frames, ...frames], seed)) {
      subscription.received(one)
      assert.ok(words.join("").startsWith(page.shown[0][1]), `seed ${seed}: ${page.shown[0][1]}`)
    }
    assert.deepEqual(page.shown, [["agent-response complete", words.join("")]], `seed ${seed}`)
    receive(frames)
    assert.equal(page.shown.length, 1)
  }
})

test("text of lost frames is made good by the next", { skip: absent }, () => {
  const { chat, page, timers, receive } = withChat()
  chat.sendMessage("one")
  const frames = answer("a", ["one ", "two ", "three ", "four "])
  receive([frames[0], frames[3]])
  timers.fire()
  assert.deepEqual(page.shown, [["agent-response streaming", "one two three four "]])
  receive([frames[4]])
  assert.deepEqual(page.shown, [["agent-response complete", "one two three four "]])
})

test("two answers that are written at once do not mix", { skip: absent }, () => {
  const { chat, page, receive } = withChat()
  chat.sendMessage("one")
  const [a, b] = [answer("a", ["a1 ", "a2 ", "a3 "]), answer("b", ["b1 ", "b2 ", "b3 "])]
  receive([a[0]])
  chat.sendMessage("two")
  receive([b[0], a[1], b[1]])
  assert.deepEqual(page.shown, [["agent-response streaming", "a1 a2 "], ["agent-response streaming", "b1 b2 "]])
  receive([a[2], a[3], b[2], b[3]])
  assert.deepEqual(page.shown, [["agent-response complete", "a1 a2 a3 "], ["agent-response complete", "b1 b2 b3 "]])
})

test("an answer that this page did not ask for gets an element of its own", { skip: absent }, () => {
  const { chat, page, receive } = withChat()
  chat.sendMessage("one")
  receive(answer("a", ["mine"]))
  receive(answer("b", ["another ", "tab's"]))
  assert.deepEqual(page.shown, [["agent-response complete", "mine"], ["agent-response complete", "another tab's"]])
})

test("the job's frames are shown as the channel's", { skip: absent }, () => {
  const { page, receive } = withChat()
  const job = answer("a", ["Hel", "lo"]).map(({ metadata, ...one }) => ({ ...one, type: "chunk", session_id: "s" }))
  const tool = { ...job[0], chunk_type: "tool_call", content: "", raaf: { ...job[0].raaf, tool_name: "weather" } }
  receive([tool, ...job.map((one) => ({ ...one, raaf: { ...one.raaf, seq: one.raaf.seq + 1 } }))])
  assert.deepEqual(page.shown, [["agent-response complete", "Hello"], ["tool-indicator", "🔧 Using weather..."]])
})

test("an error is shown once, and the answer it ends is not written on", { skip: absent }, () => {
  const { chat, page, receive } = withChat()
  chat.sendMessage("one")
  const failed = frame("a", 2, { chunk_type: "error", content: "Overloaded" }, { terminal: true })
  receive([frame("a", 1, { content: "Hel", cumulative: "Hel" }), failed, failed])
  assert.deepEqual(page.shown, [["agent-response error", "Hel"], ["agent-error", "Error: Overloaded"]])
  chat.sendMessage("two")
  receive(answer("b", ["Hello"]))
  assert.deepEqual(page.shown.at(-1), ["agent-response complete", "Hello"])
})

test("an error that the answer goes on after does not end it", { skip: absent }, () => {
  const { chat, page, receive } = withChat()
  chat.sendMessage("one")
  receive([frame("a", 1, { chunk_type: "error", content: "Retrying" }), frame("a", 2, { content: "Hi", cumulative: "Hi" })])
  assert.deepEqual(page.shown, [["agent-response streaming", "Hi"], ["agent-error", "Error: Retrying"]])
})

test("an error before there was a stream ends the question that waits", { skip: absent }, () => {
  const { chat, page, receive } = withChat()
  chat.sendMessage("one")
  receive([{ type: "agent_error", error: "too many" }])
  chat.sendMessage("two")
  receive(answer("b", ["Hello"]))
  assert.deepEqual(page.shown, [["agent-response error", ""], ["agent-error", "Error: too many"], ["agent-response complete", "Hello"]])
})

test("a :complete without its text does not blank the answer", { skip: absent }, () => {
  const { chat, page, receive } = withChat()
  chat.sendMessage("one")
  const [first, last] = answer("a", ["Hello"])
  receive([first, { ...last, cumulative: undefined }])
  assert.deepEqual(page.shown, [["agent-response complete", "Hello"]])
})

test("a job that runs again writes its answer anew", { skip: absent }, () => {
  const { chat, page, receive } = withChat()
  chat.sendMessage("one")
  receive(answer("a", ["old ", "text"]).slice(0, 2))
  receive(answer("a", ["new"]).map((one) => ({ ...one, raaf: { ...one.raaf, attempt: 2 } })))
  assert.deepEqual(page.shown, [["agent-response complete", "new"]])
})
