import assert from "node:assert/strict"
import { test } from "node:test"
import { isOurs, normalize } from "raaf_streaming/envelopes"

test("the job's chunk becomes the channel's", () => {
  const chunk = { session_id: "s", type: "chunk", chunk_type: "content", content: "a", cumulative: "a" }
  assert.deepEqual(normalize(chunk), { ...chunk, type: "agent_chunk", metadata: {} })
})

test("the job's error becomes the channel's", () => {
  assert.deepEqual(normalize({ session_id: "s", type: "error", error: "no" }),
    { session_id: "s", type: "agent_error", error: "no" })
})

test("a chunk that is an error becomes an error", () => {
  const { type, error } = normalize({ type: "agent_chunk", chunk_type: "error", content: "Rate limited", metadata: {} })
  assert.deepEqual([type, error], ["agent_error", "Rate limited"])
})

test("a tool's name is in metadata, though the job sends none", () => {
  const raaf = { stream_id: "a", seq: 1, tool_name: "weather" }
  assert.equal(normalize({ type: "chunk", chunk_type: "tool_call", raaf }).metadata.tool_name, "weather")
  assert.equal(normalize({ type: "agent_chunk", chunk_type: "tool_call", metadata: { tool_name: "own" }, raaf }).metadata.tool_name, "own")
  assert.deepEqual(normalize({ type: "agent_chunk", chunk_type: "tool_call", metadata: null }).metadata, {})
})

test("messages of the application's own are left alone", () => {
  for (const data of [null, "text", 7, {}, { type: "error" }, { type: "chunk", data: 1 }, { type: "toString" }]) {
    assert.equal(isOurs(data), false)
  }
  for (const data of [{ type: "agent_error" }, { type: "error", session_id: "s" }, { type: "chunk", raaf: {} }]) {
    assert.equal(isOurs(data), true)
  }
})
