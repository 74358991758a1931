import assert from "node:assert/strict"
import { test } from "node:test"
import { Frames } from "raaf_streaming"
import { frame, shuffled, Timers } from "./support/page.js"

const collect = (options = {}) => {
  const got = []
  const timers = new Timers()
  const frames = new Frames((data, about) => got.push({ seq: data?.raaf?.seq, data, ...about }), { timers, ...options })
  return { got, frames, timers, seqs: () => got.map((one) => one.seq) }
}
const upTo = (n) => Array.from({ length: n }, (_, i) => i + 1)

test("frames that come in order are handed on at once", () => {
  const { frames, seqs } = collect()
  for (const seq of upTo(3)) {
    frames.take(frame("a", seq))
    assert.equal(seqs().at(-1), seq)
  }
})

test("shuffled frames come out in order, whatever the order, and none twice", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { frames, seqs } = collect()
    const sent = upTo(40).map((seq) => frame("a", seq))
    for (const one of shuffled([...sent, ...sent, ...sent.slice(0, 7)], seed)) frames.take(one)
    assert.deepEqual(seqs(), upTo(40), `seed ${seed}`)
  }
})

test("streams do not wait for each other", () => {
  const { frames, got } = collect()
  frames.take(frame("a", 2))
  frames.take(frame("b", 1))
  assert.deepEqual(got.map((one) => [one.stream, one.seq]), [["b", 1]])
})

test("a frame that is lost is waited for, and then the others go on and say so", () => {
  const { frames, got, timers, seqs } = collect()
  for (const seq of [1, 3, 4]) frames.take(frame("a", seq))
  assert.deepEqual(seqs(), [1])
  timers.fire()
  assert.deepEqual(got.map((one) => [one.seq, one.gap]), [[1, false], [3, true], [4, false]])
  frames.take(frame("a", 2))
  assert.deepEqual(seqs(), [1, 3, 4], "too late")
})

test("the wait ends when the frame comes", () => {
  const { frames, timers, got } = collect()
  for (const seq of [2, 1]) frames.take(frame("a", seq))
  assert.equal(timers.set.size, 0)
  assert.ok(got.every((one) => !one.gap))
})

test("several gaps are given up one after another", () => {
  const { frames, timers, seqs } = collect()
  for (const seq of [1, 3, 5]) frames.take(frame("a", seq))
  timers.fire()
  assert.deepEqual(seqs(), [1, 3])
  timers.fire()
  assert.deepEqual(seqs(), [1, 3, 5])
})

test("a job that runs again begins the answer anew, and its first run is heard no longer", () => {
  const { frames, got } = collect()
  const second = (seq) => frame("a", seq, {}, { attempt: 2 })
  for (const one of [frame("a", 1), frame("a", 2), second(1), frame("a", 3), second(2)]) frames.take(one)
  assert.deepEqual(got.map((one) => [one.data.raaf.attempt, one.seq, one.again]),
    [[1, 1, false], [1, 2, false], [2, 1, true], [2, 2, false]])
})

test("what has no stamp is handed on as it is", () => {
  const { frames, got } = collect()
  for (const data of ["text", null, 7, { type: "mine" }, { raaf: {} }, { raaf: { stream_id: "a", seq: "1" } }]) {
    frames.take(data)
    assert.equal(got.at(-1).data, data)
    assert.equal(got.at(-1).stream, null)
  }
})

test("it remembers no more streams, and holds no more frames, than it says", () => {
  const { frames, seqs } = collect()
  for (let i = 0; i < 1000; i++) frames.take(frame(`s${i}`, 1))
  assert.ok(frames.streams.size <= 200)
  for (let seq = 2; seq <= 5000; seq++) frames.take(frame("gap", seq))
  assert.ok(frames.streams.get("gap").waiting.size <= 2000)
  assert.equal(seqs().at(-1), 5000)
})

test("a stream that goes on is remembered longer than those that have ended", () => {
  const { frames, seqs } = collect()
  frames.take(frame("live", 1))
  for (let i = 0; i < 500; i++) frames.take(frame(`s${i}`, 1, {}, { terminal: true }))
  frames.take(frame("live", 2))
  assert.equal(seqs().at(-1), 2)
})

test("where what is missing can be asked for, nothing goes on without it, and too many that wait are dropped", () => {
  const asked = []
  const { frames, timers, seqs } = collect({ missing: (stream) => asked.push(stream) })
  frames.take(frame("a", 2))
  timers.fire()
  assert.deepEqual([asked, seqs()], [["a"], []])
  for (let seq = 3; seq <= 2003; seq++) frames.take(frame("a", seq))
  assert.ok(frames.streams.get("a").waiting.size < 2000)
  for (const seq of upTo(2003)) frames.take(frame("a", seq))
  assert.deepEqual(seqs(), upTo(2003))
})
