// Whatever happens on the way, a page shows the truth: a model of the server loses, doubles and shuffles what it sends,
// sockets close, jobs run again, stores forget the beginning.

import assert from "node:assert/strict"
import { test } from "node:test"
import { streamingConsumer } from "raaf_streaming"
import { Cable, Page, Timers } from "./support/page.js"
import { absent, guideChat } from "./support/guide_chat.js"
import { draws, Server } from "./support/server.js"

const RUNS = Number(process.env.RUNS ?? 150)
const ENDS = ["complete", "stopped", "error"]

class Tab {
  constructor(server, timers, hello) {
    this.server = server
    this.cable = new Cable()
    this.page = new Page()
    this.consumer = streamingConsumer(this.cable, { document: this.page, timers })
    this.chat = guideChat(this.consumer, this.page)
    this.line = server.join(this.cable.created[0], { hello })
    this.bubbles = new Map() // question => element
  }

  ask(question) {
    this.chat.sendMessage(question)
    this.bubbles.set(question, this.page.container.children.at(-1))
  }

  get answers() {
    return this.page.container.children.filter((element) => element.className.startsWith("agent-response"))
  }
}

// What a stream does, drawn: words, a reset, a job that dies and runs again or goes back to its queue.
class Life {
  constructor(server, stream, random, ways) {
    Object.assign(this, { server, stream, random, ways, left: 5 + random.upTo(20), runs: 1 + (ways.again ? random.upTo(2) : 0),
      short: random.chance(0.5) })
    this.#later(() => this.#begin())
  }

  #later(job) {
    this.server.timers.setTimeout(job, this.random.upTo(this.random.chance(0.05) ? 9000 : 60))
  }

  #begin() {
    if (this.stream.state === "cancelled") return
    this.stream.begin()
    this.runs -= 1
    this.words = 0
    this.#later(() => this.#step())
  }

  #step() {
    const { server, stream, random, ways } = this
    if (stream.state !== "running") return
    if (this.runs > 0 && random.chance(0.1)) return this.#die()
    if (this.words >= this.left) return this.#finish()

    this.words += 1
    if (random.chance(0.1)) server.say(stream, { chunk_type: "tool_call", content: "" }, { tool_name: "weather" })
    const content = `${stream.id.slice(0, 5)}-${stream.texts.length}-${this.words} `
    const reset = ways.reset && random.chance(0.05)
    const text = reset ? content : stream.text + content
    server.say(stream, { content, ...(this.short && text.length < 120 && { cumulative: text }) }, reset ? { reset } : {})
    if (ways.forget && random.chance(0.2)) stream.kept = random.upTo(stream.last)
    this.#later(() => this.#step())
  }

  // A job that has finished may be run again all the same.
  #finish() {
    this.server.finish(this.stream)
    if (this.runs > 0 && this.random.chance(0.3)) this.server.timers.setTimeout(() => this.#begin(), 200)
  }

  #die() {
    const { server, stream, random } = this
    if (random.chance(0.5)) {
      stream.state = "waiting"
      server.broadcast({ type: "raaf_handed_back", raaf: { stream_id: stream.id, attempt: stream.attempt } })
    } else {
      stream.state = "abandoned"
    }
    this.server.timers.setTimeout(() => this.#begin(), random.upTo(20_000))
  }
}

function scene(seed, { faults = {}, tabs = 1, ways = {}, cuts = 0, questions = 2 }) {
  const random = draws(seed)
  const timers = new Timers()
  const server = new Server({ timers, random, faults })
  const asked = new Map() // question => stream
  server.onChat = (stream, { message }) => {
    asked.set(message, stream)
    new Life(server, stream, random, ways)
  }
  const pages = Array.from({ length: tabs }, () => new Tab(server, timers, random.chance(0.5) ? "before" : "after"))
  for (const tab of pages) server.open(tab.line)
  const check = () => pages.forEach((tab) => checkPrefixes(tab, server, seed))
  server.onMessage = check
  timers.pass(50)
  for (let i = 0; i < questions; i++) timers.setTimeout(() => pages[0].ask(`q${i}`), random.upTo(500))
  for (let i = 0; i < cuts; i++) cut(pages[random.upTo(tabs - 1)], server, timers, random)
  return { pages, server, timers, asked, random, seed }
}

function cut({ line }, server, timers, random) {
  const at = 60 + random.upTo(3000)
  timers.setTimeout(() => server.close(line), at)
  timers.setTimeout(() => { if (!line.socket) server.open(line) }, at + [50, 300, 1000, 12_000][random.upTo(3)])
}

function checkPrefixes(tab, server, seed) {
  const texts = [...server.streams.values()].flatMap((stream) => stream.texts)
  for (const element of tab.answers) {
    const shown = element.textContent
    assert.ok(shown === "" || texts.some((text) => text.startsWith(shown)), `seed ${seed}: shown ${JSON.stringify(shown)}`)
  }
}

function checkEnds({ pages, server, timers, asked, seed }) {
  timers.pass(180_000)
  for (const tab of pages) if (!tab.line.socket) server.open(tab.line)
  timers.pass(180_000)
  for (const tab of pages) {
    assert.equal(tab.consumer.streaming.live.length, 0, `seed ${seed}: nothing is live`)
    assert.ok(tab.answers.every((one) => ENDS.includes(one.className.replace("agent-response ", ""))), `seed ${seed}`)
    assert.equal(tab.page.getElementById("current-response"), null)
    const shown = tab.answers.map((one) => one.textContent).sort()
    const texts = [...tab.line.owed].map((id) => server.streams.get(id).text).sort()
    assert.deepEqual(shown, texts, `seed ${seed}: each answer once and whole`)
  }
  assert.equal(pages[0].line.owed.size, asked.size)
  for (const [question, stream] of asked) assert.equal(pages[0].bubbles.get(question).textContent, stream.text, `seed ${seed}: ${question} in its place`)
}

const all = (name, settings) => test(name, { skip: absent }, () => {
  for (let seed = 1; seed <= RUNS; seed++) checkEnds(scene(seed, settings))
})

all("answers are whole and in their places, though frames come in any order and twice",
  { faults: { double: 0.2, spread: 200 }, questions: 3 })
all("answers are whole though frames are lost on the way", { faults: { loss: 0.2, spread: 50, late: 400 } })
all("answers are whole though frames are too large for their way", { faults: { pointer: 0.5, loss: 0.1, spread: 50 } })
all("answers are whole though the socket is cut, for short and for long, also across the end", { faults: { spread: 20 }, cuts: 3 })
all("answers are whole though the server keeps their beginning as a text only",
  { faults: { loss: 0.2, spread: 50 }, ways: { forget: true }, cuts: 2 })
all("an answer that begins anew never doubles a word", { faults: { loss: 0.1, spread: 100, double: 0.1 }, ways: { again: true, reset: true } })
all("each tab shows each answer once", { faults: { loss: 0.1, spread: 100 }, tabs: 3, questions: 3, cuts: 2 })
all("all of it at once", { faults: { loss: 0.2, double: 0.1, spread: 300, pointer: 0.1, late: 400 }, tabs: 2, questions: 3, cuts: 4,
  ways: { again: true, reset: true, forget: true } })
