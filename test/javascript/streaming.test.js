// What the page and a channel that says hello say to each other, message by message.

import assert from "node:assert/strict"
import { test } from "node:test"
import { controls, streamingConsumer } from "raaf_streaming"
import { answer, Cable, frame, Page, Timers } from "./support/page.js"
import { absent, guideChat } from "./support/guide_chat.js"

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const HELLO = { type: "raaf_hello", protocol: 1 }
const ackOf = (requestId, stream) => ({ type: "raaf_ack", request_id: requestId, stream_id: stream })
const resumed = (streams) => ({ type: "raaf_resumed", streams })

// A page that is connected to a channel of ours, and what it has said.
const parts = (make, { greeted = true, ...options } = {}) => {
  const cable = new Cable()
  const page = new Page()
  const stop = page.add("stop-button")
  stop.disabled = true
  page.add("message-input")
  const timers = new Timers()
  const consumer = streamingConsumer(cable, { document: page, timers, ...options })
  controls(consumer, page)
  const own = make(consumer, page)
  const [subscription] = cable.created
  const open = () => { subscription.received(HELLO); subscription.connected({}) }
  const said = (action) => subscription.performed.filter(([name]) => name === action).map(([, data]) => data)
  const receive = (...messages) => messages.forEach((one) => subscription.received(one))
  if (greeted) open()
  return { cable, page, stop, timers, consumer, subscription, open, said, receive, own }
}
const withChat = (options) => {
  const all = parts(guideChat, options)
  // Asks, and the server acknowledges. Returns the request's id.
  const ask = (question, stream) => {
    all.own.sendMessage(question)
    const id = all.said("chat").at(-1).raaf.request_id
    if (stream) all.receive(ackOf(id, stream))
    return id
  }
  return { ...all, ask }
}
// A page of one's own: it has no elements that we know.
const withPage = (options) => {
  const got = []
  const all = parts((consumer, page) => {
    page.container.id = "mine"
    return consumer.subscriptions.create("X", { received: (data) => got.push(data) })
  }, options)
  return { ...all, got }
}
const guided = (name, job) => test(name, { skip: absent }, job)

// ---- ids and acknowledgements

test("a channel that says hello gets an id with each action of the page's; one that does not gets them as they are", () => {
  const greeted = withPage()
  greeted.subscription.perform("chat", { message: "a" })
  const [{ message, raaf }] = greeted.said("chat")
  assert.equal(message, "a")
  assert.match(raaf.request_id, UUID)

  const other = withPage({ greeted: false })
  other.subscription.connected({})
  other.subscription.perform("chat", { message: "a" })
  other.timers.pass(600_000)
  assert.deepEqual(other.subscription.performed, [["chat", { message: "a" }]])
  assert.deepEqual(other.got, [])
})

test("a channel that has not said hello may have messages of any name", () => {
  const { receive, got } = withPage({ greeted: false })
  const own = [{ type: "raaf_ack", request_id: 1 }, { type: "raaf_resumed" }, { type: "toString" }]
  receive(...own)
  assert.deepEqual(got, own)
})

test("what is said before the confirmation has an id where the hello came before, too", () => {
  const { subscription, open, said } = withPage({ greeted: false })
  subscription.perform("chat", { message: "early" })
  assert.deepEqual(subscription.performed, [])
  open()
  assert.match(said("chat")[0].raaf.request_id, UUID)
})

test("a hello that comes late holds nothing up, and counts from then on", () => {
  const { subscription, receive, said } = withPage({ greeted: false })
  subscription.perform("chat", { message: "early" })
  subscription.connected({})
  assert.deepEqual(said("chat"), [{ message: "early" }])
  receive(HELLO)
  assert.deepEqual(said("raaf_resume"), [{ streams: {} }])
  subscription.perform("chat", { message: "late" })
  assert.match(said("chat")[1].raaf.request_id, UUID)
})

test("what was not acknowledged when the socket closed is sent again under the same id, once, and before what is new", () => {
  const { subscription, open, said, receive } = withPage()
  for (const message of ["one", "two"]) subscription.perform("chat", { message })
  receive(ackOf(said("chat")[0].raaf.request_id, "a"))
  subscription.disconnected({})
  subscription.perform("chat", { message: "three" })
  open()
  const ids = said("chat").map((one) => [one.message, one.raaf.request_id])
  assert.deepEqual(ids.map(([message]) => message), ["one", "two", "two", "three"])
  assert.equal(ids[1][1], ids[2][1])
  receive(...ids.slice(2).map(([message, id]) => ackOf(id, message)))
  subscription.disconnected({})
  open()
  assert.equal(said("chat").length, 4)
})

test("a hello that is said twice sends nothing twice; our own actions wait for it", () => {
  const { subscription, receive, said, consumer, timers } = withPage()
  subscription.perform("chat", { message: "one" })
  receive(HELLO)
  assert.equal(said("chat").length, 1)
  receive(ackOf(said("chat")[0].raaf.request_id, "a"))
  subscription.disconnected({})
  consumer.streaming.stop()
  subscription.connected({})
  timers.pass(1000)
  assert.deepEqual(said("raaf_stop"), [])
  receive(HELLO)
  assert.equal(said("raaf_stop").length, 1)
})

test("after a reconnect the hello is waited for; where none comes, the page is heard all the same, without ids", () => {
  const { subscription, timers, said, receive } = withPage()
  subscription.perform("chat", { message: "one" })
  subscription.disconnected({})
  subscription.perform("chat", { message: "two" })
  subscription.connected({})
  assert.equal(said("chat").length, 1)
  timers.pass(1000)
  assert.deepEqual(said("chat").slice(1), [{ message: "two" }])
  receive(HELLO)
  assert.deepEqual(said("chat").slice(2), [said("chat")[0]])
})

guided("a question that the server refuses ends in an error, once", () => {
  const { ask, receive, page } = withChat()
  const refused = { type: "raaf_refused", request_id: ask("one"), action: "chat", reason: "rate_limited", message: "Too many" }
  receive(refused, refused)
  assert.deepEqual(page.shown.map(([name, text]) => name === "raaf-retry" ? name : [name, text]),
    [["agent-response error", ""], "raaf-retry", ["agent-error", "Error: Too many"]])
})

guided("questions that were never sent end in an error where the server turns the page away", () => {
  const { own, subscription, page } = withChat({ greeted: false })
  own.sendMessage("one")
  subscription.rejected()
  assert.deepEqual(page.states, ["error"])
})

// ---- elements

guided("an element shows at once that the server has the question", () => {
  const { ask, page, receive } = withChat()
  const id = ask("one")
  const [element] = page.container.children
  assert.deepEqual(page.states, ["sent"])
  receive(ackOf(id, "a"))
  assert.deepEqual(page.states, ["waiting"])
  assert.equal(element.getAttribute("aria-busy"), "true")
  receive(...answer("a", ["Hi"]))
  assert.deepEqual(page.states, ["complete"])
  assert.equal(element.getAttribute("aria-busy"), null)
  assert.equal(element.getAttribute("data-raaf-stream"), "a")
})

guided("two questions get their own answers, whichever comes first", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  ask("two", "b")
  receive(...answer("b", ["second"]), ...answer("a", ["first"]))
  assert.deepEqual(page.shown, [["agent-response complete", "first"], ["agent-response complete", "second"]])
})

guided("frames that are faster than the acknowledgement find their question by its id", () => {
  const { ask, receive, page } = withChat()
  ask("one")
  const id = ask("two")
  receive(frame("b", 1, { content: "second" }, { request_id: id }), ackOf(id, "b"))
  assert.deepEqual(page.shown.map(([, text]) => text), ["", "second"])
})

guided("frames that are faster and do not say whose they are are not shown twice", () => {
  const { ask, receive, page } = withChat()
  const id = ask("one")
  receive(frame("a", 1, { content: "Hi" }), ackOf(id, "a"), frame("a", 2, { content: " you" }))
  assert.deepEqual(page.shown, [["agent-response streaming", "Hi you"]])
})

guided("another tab's answer gets an element of its own, though this one waits for an answer too", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(...answer("b", ["theirs"]).map((one) => ({ ...one, raaf: { ...one.raaf, request_id: "theirs" } })))
  receive(...answer("a", ["mine"]))
  assert.deepEqual(page.shown.map(([, text]) => text), ["mine", "theirs"])
})

guided("chunks without a stamp fill the element of the question that waits", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(...answer("x", ["Hel", "lo"]).map(({ raaf, ...one }) => one))
  assert.deepEqual(page.shown, [["agent-response complete", "Hello"]])
})

guided("an error without a stamp ends the question that it names, and no other; another tab's ends none", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  const id = ask("two", "b")
  receive({ type: "agent_error", error: "too long", raaf: { request_id: "theirs" } })
  assert.deepEqual(page.states, ["waiting", "waiting"])
  receive({ type: "agent_error", error: "too long", raaf: { request_id: id } })
  assert.deepEqual(page.states, ["waiting", "error"])
  receive({ type: "agent_error", error: "too long" })
  assert.deepEqual(page.states, ["error", "error"])
})

guided("chunks without a stamp fill the element of the request that they name", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  const id = ask("two", "b")
  const chunks = (request, words) => answer("x", words).map((one) => ({ ...one, raaf: { request_id: request } }))
  receive(...chunks(id, ["Hel", "lo"]), ...chunks("theirs", ["Bye"]))
  assert.deepEqual(page.shown.map(([, text]) => text), ["", "Hello", "Bye"])
})

guided("an answer that comes by two channels of a page is shown once", () => {
  const { ask, receive, page, consumer, cable } = withChat()
  ask("one", "a")
  consumer.subscriptions.create("Other", {})
  const frames = answer("a", ["Hel", "lo"]).map(({ cumulative, ...one }) => one)
  receive(frames[0])
  for (const one of frames) cable.created[1].received(one)
  receive(...frames.slice(1))
  assert.deepEqual(page.shown, [["agent-response complete", "Hello"]])
})

guided("another channel that knows nothing of an answer does not end it", () => {
  const { ask, receive, page, consumer, cable } = withChat()
  ask("one", "a")
  consumer.subscriptions.create("Other", {})
  const [, other] = cable.created
  other.received(HELLO)
  other.connected({})
  receive(frame("a", 1, { content: "Half" }))
  other.received(resumed({ a: { state: "unknown", attempt: 0, last: 0 } }))
  assert.deepEqual(page.shown, [["agent-response streaming", "Half"]])
})

guided("another tab's answer does not take the element of a question that was sent without an id", () => {
  const { own, receive, subscription, page } = withChat({ greeted: false })
  subscription.connected({})
  own.sendMessage("one")
  receive(HELLO, ...answer("b", ["theirs"]).map((one) => ({ ...one, raaf: { ...one.raaf, request_id: "theirs" } })))
  receive(...answer("a", ["mine"]))
  assert.deepEqual(page.shown.map(([, text]) => text), ["mine", "theirs"])
})

// ---- what was missed

test("a fresh page asks for what is being written, one that reconnects also for what it shows or lacks", () => {
  const { receive, subscription, open, said } = withPage()
  assert.deepEqual(said("raaf_resume"), [{ streams: {} }])
  receive(frame("a", 1), frame("a", 2), frame("b", 2))
  subscription.disconnected({})
  open()
  assert.deepEqual(said("raaf_resume").at(-1), { streams: { a: { attempt: 1, seq: 2 }, b: { attempt: 1, seq: 0 } } })
})

guided("a page that is loaded anew asks for what the one before was waiting for, also where that has ended", () => {
  const kept = new Map()
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) }
  const before = withChat({ storage })
  before.ask("one", "a")
  before.ask("two", "b")
  before.receive(...answer("b", ["Hi"]))
  const { said, receive, page } = withChat({ storage })
  assert.deepEqual(said("raaf_resume"), [{ streams: { a: { attempt: 0, seq: 0 } } }])
  receive(...answer("a", ["Hello"]), resumed({ a: { state: "finished", attempt: 1, last: 2 } }))
  assert.deepEqual(page.shown, [["agent-response complete", "Hello"]])
  assert.deepEqual(withPage({ storage }).said("raaf_resume"), [{ streams: {} }])
})

test("what is kept of the page before may be anything, or nothing", () => {
  for (const found of ["", "{}", "[1]", "null", null]) {
    const storage = { getItem: () => found, setItem: () => { throw new Error("full") } }
    const { said, receive } = withPage({ storage })
    receive(frame("a", 1))
    assert.deepEqual(said("raaf_resume"), [{ streams: {} }])
  }
})

test("what is acknowledged only when it was sent again may have been answered meanwhile, and is asked for", () => {
  const { subscription, open, said, receive } = withPage()
  subscription.perform("chat", { message: "one" })
  subscription.disconnected({})
  open()
  receive(ackOf(said("chat")[0].raaf.request_id, "a"))
  assert.deepEqual(said("raaf_resume").at(-1), { streams: { a: { attempt: 0, seq: 0 } } })
})

guided("an answer that was begun before the page was there is shown, also while it is silent", () => {
  const { receive, page } = withChat()
  receive(resumed({ a: { state: "waiting", attempt: 0, last: 0 }, b: { state: "finished", attempt: 1, last: 9 } }))
  assert.deepEqual(page.states, ["waiting"])
  receive(...answer("a", ["Hi"]))
  assert.deepEqual(page.shown, [["agent-response complete", "Hi"]])
})

test("a frame that is missing is asked for once its time is over", () => {
  const { receive, timers, said, got } = withPage()
  receive(frame("a", 1), frame("a", 3))
  timers.pass(2999)
  assert.equal(said("raaf_resume").length, 1)
  timers.pass(1)
  assert.deepEqual(said("raaf_resume")[1], { streams: { a: { attempt: 1, seq: 1 } } })
  receive(frame("a", 2), resumed({ a: { state: "running", attempt: 1, last: 3 } }))
  assert.deepEqual(got.map((one) => one.raaf.seq), [1, 2, 3])
})

test("while an answer is silent the server is asked ever more seldom, as long as it says that it goes on", () => {
  const { receive, timers, said } = withPage()
  receive(frame("a", 1))
  const times = []
  for (let second = 1; second <= 200; second++) {
    timers.pass(1000)
    if (said("raaf_resume").length === times.length + 1) continue
    times.push(second)
    receive(resumed({ a: { state: "running", attempt: 1, last: 1 } }))
  }
  assert.deepEqual(times, [5, 15, 35, 65, 95, 125, 155, 185])
})

test("a message that is too large for its way is asked for at once, and once for all that come meanwhile", () => {
  const { receive, said, got } = withPage()
  const pointer = (seq) => ({ type: "agent_chunk", chunk_type: "content", raaf: { stream_id: "a", seq, attempt: 1, terminal: false, fetch: true } })
  receive(pointer(1), pointer(2))
  assert.deepEqual(said("raaf_resume").slice(1), [{ streams: { a: { attempt: 1, seq: 0 } } }])
  receive(frame("a", 1), resumed({ a: { state: "running", attempt: 1, last: 1 } }))
  assert.deepEqual(said("raaf_resume").slice(2), [{ streams: { a: { attempt: 1, seq: 1 } } }])
  receive(frame("a", 2), resumed({ a: { state: "running", attempt: 1, last: 2 } }))
  assert.equal(said("raaf_resume").length, 3)
  assert.deepEqual(got.map((one) => one.raaf.seq), [1, 2])
})

test("a resume that is refused does not keep the next from being asked", () => {
  const { receive, timers, said } = withPage()
  receive(frame("a", 2))
  timers.pass(3000)
  receive({ type: "raaf_refused", action: "raaf_resume", reason: "unavailable", message: "Not now" }, frame("a", 3))
  timers.pass(3000)
  assert.equal(said("raaf_resume").length, 3)
})

guided("a checkpoint stands for all frames up to its number", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(frame("a", 1, { content: "one " }), frame("a", 5, { content: "five" }), frame("a", 3, { content: "three " }))
  const raaf = { stream_id: "a", attempt: 1, seq: 4 }
  receive({ type: "raaf_checkpoint", text: "one two three four ", raaf }, { type: "raaf_checkpoint", text: "one ", raaf: { ...raaf, seq: 1 } })
  assert.deepEqual(page.shown, [["agent-response streaming", "one two three four five"]])
})

// ---- ends

const states = { finished: "complete", cancelled: "stopped", abandoned: "error", unknown: "error" }
for (const [said, shown] of Object.entries(states)) {
  guided(`an answer that the server calls ${said} ends as ${shown}, though its last frame never comes`, () => {
    const { ask, receive, page, stop } = withChat()
    ask("one", "a")
    receive(frame("a", 1, { content: "Half" }))
    assert.equal(stop.disabled, false)
    const now = resumed({ a: { state: said, attempt: 1, last: said === "unknown" ? 0 : 1 } })
    receive(now, now)
    assert.deepEqual(page.shown[0], [`agent-response ${shown}`, "Half"])
    assert.deepEqual(page.shown.filter(([name]) => name === "agent-error"),
      shown === "error" ? [["agent-error", "Error: The answer was interrupted"]] : [])
    assert.equal(stop.disabled, true)
  })
}

test("a page of one's own hears the end as from a frame", () => {
  const { receive, got } = withPage()
  receive(frame("a", 1, { content: "Half" }), frame("b", 1), resumed({ a: { state: "cancelled", attempt: 1, last: 1 }, b: { state: "abandoned", attempt: 1, last: 1 } }))
  const [, , first, second] = got
  assert.deepEqual([first.chunk_type, first.cumulative, first.metadata, first.raaf.stream_id], ["complete", "Half", { stopped: true }, "a"])
  assert.deepEqual([second.type, second.raaf.stream_id], ["agent_error", "b"])
})

guided("an answer that the server has lost a part of ends in an error", () => {
  const { ask, receive, timers, page } = withChat()
  ask("one", "a")
  receive(frame("a", 1, { content: "Half" }))
  for (let i = 0; i < 6; i++) {
    receive(resumed({ a: { state: "finished", attempt: 1, last: 9 } }))
    timers.pass(2000)
  }
  assert.deepEqual(page.shown[0], ["agent-response error", "Half"])
})

guided("where the store has lost it but the frames go on, they are shown by the whole text that is in them", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(frame("a", 3, { content: "three", cumulative: "one two three" }), resumed({ a: { state: "unknown", attempt: 0, last: 0 } }))
  assert.deepEqual(page.shown, [["agent-response streaming", "one two three"]])
})

guided("an answer of which nothing is heard, neither by the server, is given up; and goes on when it does", () => {
  const { ask, receive, timers, subscription, open, page } = withChat()
  ask("one", "a")
  receive(frame("a", 1, { content: "Half" }))
  subscription.disconnected({})
  timers.pass(59_999)
  assert.deepEqual(page.states, ["running"])
  timers.pass(1)
  assert.deepEqual(page.shown.filter(([name]) => name !== "raaf-retry"), [["agent-response error", "Half"], ["agent-error", "Error: The answer was interrupted"]])
  open()
  receive(resumed({ a: { state: "running", attempt: 1, last: 1 } }))
  assert.deepEqual(page.shown[0], ["agent-response streaming", "Half"])
  assert.equal(page.shown.some(([name]) => name === "raaf-retry"), false)
  receive(frame("a", 2, { content: " of it" }))
  assert.deepEqual(page.shown[0], ["agent-response streaming", "Half of it"])
})

guided("a question that never gets through ends in an error", () => {
  const { own, timers, page } = withChat({ greeted: false })
  own.sendMessage("one")
  timers.pass(60_000)
  assert.deepEqual(page.states, ["error"])
  assert.deepEqual(page.shown.at(-1), ["agent-error", "Error: The server could not be reached"])
})

guided("a job that was given up and runs again begins its answer anew", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(frame("a", 1, { content: "old" }), resumed({ a: { state: "abandoned", attempt: 1, last: 1 } }))
  const again = answer("a", ["new ", "text"]).map((one) => ({ ...one, raaf: { ...one.raaf, attempt: 2 } }))
  receive(again[0])
  assert.deepEqual(page.shown[0], ["agent-response streaming", "new "])
  receive(...again.slice(1))
  assert.deepEqual(page.shown[0], ["agent-response complete", "new text"])
})

guided("an answer that was whole and is written again can be given up", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(...answer("a", ["old"]), frame("a", 1, { content: "new" }, { attempt: 2 }), resumed({ a: { state: "abandoned", attempt: 2, last: 1 } }))
  assert.deepEqual(page.shown[0], ["agent-response error", "new"])
})

guided("a job that goes back to its queue is shown to wait", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(frame("a", 1, { content: "old" }), { type: "raaf_handed_back", raaf: { stream_id: "a", attempt: 1 } })
  assert.deepEqual([page.states, page.shown[0]], [["waiting"], ["agent-response streaming", "old"]])
  receive(frame("a", 1, { content: "new" }, { attempt: 2 }), { type: "raaf_handed_back", raaf: { stream_id: "a", attempt: 1 } })
  assert.deepEqual([page.states, page.shown[0]], [["running"], ["agent-response streaming", "new"]])
})

guided("an answer that is at its end does not wait any more, whoever says so", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(...answer("a", ["Hi"]), { type: "raaf_handed_back", raaf: { stream_id: "a", attempt: 1 } })
  assert.deepEqual(page.states, ["complete"])
})

guided("an answer that begins anew in mid-stream shows nothing of what was", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(frame("a", 1, { content: "old" }), frame("a", 2, { chunk_type: "tool_call", content: "" }, { reset: true, tool_name: "x" }))
  assert.equal(page.shown[0][1], "")
  receive(frame("a", 3, { content: "new" }))
  assert.equal(page.shown[0][1], "new")
})

guided("a subscription that the page leaves asks nothing more, and its answers are at their end", () => {
  const { ask, receive, timers, subscription, said, page } = withChat()
  ask("one", "a")
  receive(frame("a", 1), frame("a", 3))
  subscription.unsubscribe()
  timers.pass(600_000)
  assert.equal(subscription.left, true)
  assert.deepEqual(page.states, ["stopped"])
  assert.equal(said("raaf_resume").length, 1)
})

// ---- stop, retry, redirect

guided("Stop ends what is being written, and shows it as stopped", () => {
  const { ask, receive, timers, stop, said, page } = withChat()
  const id = ask("one", "a")
  receive(frame("a", 1, { content: "Half" }))
  stop.click()
  assert.deepEqual(said("raaf_stop"), [{ stream_id: "a", request_id: id }])
  receive(frame("a", 2, { chunk_type: "error", content: "The run was cancelled" }, { terminal: true }))
  timers.pass(600_000)
  assert.deepEqual(page.shown, [["agent-response stopped", "Half"]])
})

guided("an answer that was stopped elsewhere is shown as stopped where its last frame says so", () => {
  const { ask, receive, page } = withChat()
  ask("one", "a")
  receive(frame("a", 1, { content: "Half" }), frame("a", 2, { chunk_type: "error", content: "x" }, { terminal: true, cancelled: true }))
  assert.deepEqual(page.shown, [["agent-response stopped", "Half"]])
})

guided("where Stop is refused, an error of the answer is one again", () => {
  const { ask, receive, consumer, page } = withChat()
  ask("one", "a")
  consumer.streaming.stop()
  receive({ type: "raaf_refused", request_id: null, action: "raaf_stop", reason: "forbidden", message: "No" },
    frame("a", 1, { chunk_type: "error", content: "Overloaded" }, { terminal: true }))
  assert.deepEqual(page.states, ["error"])
})

guided("where no last frame comes after Stop, the server is asked soon", () => {
  const { ask, timers, consumer, receive, said, page } = withChat()
  ask("one", "a")
  assert.equal(consumer.streaming.stop("other"), 0)
  assert.equal(consumer.streaming.stop(), 1)
  timers.pass(500)
  assert.deepEqual(said("raaf_resume").at(-1), { streams: { a: { attempt: 0, seq: 0 } } })
  receive(resumed({ a: { state: "cancelled", attempt: 1, last: 0 } }))
  assert.deepEqual(page.shown, [["agent-response stopped", ""]])
})

guided("an answer that was to stop is stopped, though the server knows nothing of it any more", () => {
  const { ask, receive, consumer, page } = withChat()
  ask("one", "a")
  consumer.streaming.stop()
  receive(resumed({ a: { state: "unknown", attempt: 0, last: 0 } }))
  assert.deepEqual(page.shown, [["agent-response stopped", ""]])
})

guided("a question that was given up before it was acknowledged is not sent beside its Retry", () => {
  const { ask, subscription, timers, open, consumer, said } = withChat()
  ask("one")
  subscription.disconnected({})
  timers.pass(60_000)
  consumer.streaming.retry()
  open()
  const ids = said("chat").map((one) => one.raaf.request_id)
  assert.deepEqual([ids.length, new Set(ids).size], [2, 2])
})

guided("a question that was never sent is not sent after Stop", () => {
  const { own, subscription, open, consumer, said, page } = withChat()
  subscription.disconnected({})
  own.sendMessage("one")
  consumer.streaming.stop()
  open()
  assert.deepEqual([said("chat"), page.states], [[], ["stopped"]])
})

guided("Retry asks again under another id and writes into the same element", () => {
  const { ask, receive, page, said, consumer } = withChat()
  const id = ask("one", "a")
  receive(frame("a", 1, { content: "Half" }), frame("a", 2, { chunk_type: "error", content: "Overloaded" }, { terminal: true }))
  const retry = page.container.children[1]
  assert.deepEqual([retry.type, retry.textContent, retry.getAttribute("aria-label")], ["button", "Retry", "Retry this answer"])
  retry.focus()
  retry.click()
  const again = said("chat").at(-1)
  assert.deepEqual([again.message, again.raaf.request_id === id], ["one", false])
  assert.deepEqual(page.shown, [["agent-response streaming", ""], ["agent-error", "Error: Overloaded"]])
  assert.equal(page.activeElement.id, "message-input")
  assert.deepEqual(said("raaf_stop"), [])
  receive(ackOf(again.raaf.request_id, "b"), ...answer("b", ["Whole"]), ...answer("a", ["late"]))
  assert.deepEqual(page.shown[0], ["agent-response complete", "Whole"])
  assert.equal(consumer.streaming.retry(), false)
})

guided("Retry of an answer that may still be written stops it, and nothing of it is shown any more", () => {
  const { ask, receive, page, said, consumer } = withChat()
  const id = ask("one", "a")
  receive(frame("a", 1, { content: "Half" }), resumed({ a: { state: "abandoned", attempt: 1, last: 1 } }))
  assert.equal(consumer.streaming.retry(id), true)
  receive(frame("a", 1, { content: "old" }, { attempt: 2 }), resumed({ a: { state: "running", attempt: 2, last: 1 } }))
  receive({ type: "raaf_checkpoint", text: "older", raaf: { stream_id: "a", attempt: 2, seq: 2 } })
  assert.deepEqual(said("raaf_stop"), [{ stream_id: "a" }])
  assert.deepEqual([page.states, page.shown[0]], [["sent"], ["agent-response streaming", ""]])
})

guided("there is no Retry for an answer whose question this page does not know", () => {
  const { receive, page, consumer } = withChat()
  receive(frame("a", 1), resumed({ a: { state: "abandoned", attempt: 1, last: 1 } }))
  assert.deepEqual(page.shown.map(([name]) => name), ["agent-response error", "agent-error"])
  assert.equal(consumer.streaming.retry("a"), false)
})

guided("an answer is redirected where it is written; elsewhere it is stopped, and the question put in other words", () => {
  const { ask, receive, page, said, timers, consumer } = withChat()
  assert.equal(consumer.streaming.redirect("Shorter"), false)
  ask("one", "a")
  receive(frame("a", 1, { content: "Long" }))
  assert.equal(consumer.streaming.redirect("Shorter"), true)
  assert.deepEqual(said("raaf_redirect"), [{ stream_id: "a", message: "Shorter" }])
  receive({ type: "raaf_redirect_elsewhere", stream_id: "a", message: "Shorter" })
  assert.deepEqual(said("raaf_stop"), [{ stream_id: "a" }])
  assert.equal(said("chat").at(-1).message, "Shorter")
  assert.deepEqual(page.shown, [["agent-response streaming", ""]])
  const asked = said("raaf_resume").length
  timers.pass(20_000)
  assert.equal(said("raaf_resume").length, asked, "nothing is asked of the one that was stopped")
})

test("those who write their own page hear of every change, by the consumer and by an event", () => {
  const { receive, page, consumer, subscription, said } = withPage()
  const heard = []
  const end = consumer.streaming.on("change", ({ streamId, state, text }) => heard.push([streamId, state, text]))
  subscription.perform("chat", { message: "one" })
  const id = said("chat")[0].raaf.request_id
  receive(ackOf(id, "a"), ...answer("a", ["Hel", "lo"]))
  assert.deepEqual(heard, [[null, "sent", ""], ["a", "waiting", ""], ["a", "running", "Hel"], ["a", "running", "Hello"], ["a", "complete", "Hello"]])
  assert.deepEqual(page.events.map(({ type, detail }) => [type, detail.requestId]), heard.map(() => ["raaf:stream", id]))
  end()
  receive(frame("b", 1))
  assert.equal(heard.length, 5)
})

test("they hear what the server refuses", () => {
  const { receive, consumer } = withPage()
  const heard = []
  consumer.streaming.on("refused", ({ action, message }) => heard.push([action, message]))
  receive({ type: "raaf_refused", action: "raaf_stop", reason: "forbidden", message: "No" })
  assert.deepEqual(heard, [["raaf_stop", "No"]])
})

test("a page whose code raises loses no frame", () => {
  const raised = []
  const before = globalThis.reportError
  globalThis.reportError = (error) => raised.push(error.message)
  const got = []
  const { receive } = parts((consumer) => consumer.subscriptions.create("X", {
    received(data) { got.push(data.raaf.seq); throw new Error("its own") },
  }))
  receive(frame("a", 2), frame("a", 1))
  globalThis.reportError = before
  assert.deepEqual([got, raised], [[1, 2], ["its own", "its own"]])
})

test("of too many answers rather those are forgotten that are at their end", () => {
  const { receive, consumer } = withPage()
  receive(frame("live", 1))
  for (let i = 0; i < 300; i++) receive(...answer(`s${i}`, ["x"]))
  assert.deepEqual(consumer.streaming.live.map((one) => one.streamId), ["live"])
})
