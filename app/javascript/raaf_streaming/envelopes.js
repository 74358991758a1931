// Makes one form of the two in which the guide's code sends chunks, the one that its page reads:
//
//   {type: "agent_chunk", chunk_type:, content:, cumulative:, metadata:}   of AgentChannel
//   {type: "agent_error", error:}
//   {type: "chunk", session_id:, chunk_type:, content:, cumulative:}       of StreamingAgentJob
//   {type: "error", session_id:, error:}
//
// A chunk that is an error becomes an error, since the page knows no such chunk; metadata is always an object.

const TYPES = { agent_chunk: "agent_chunk", agent_error: "agent_error", chunk: "agent_chunk", error: "agent_error" }

export function isOurs(data) {
  if (!data || typeof data !== "object" || !Object.hasOwn(TYPES, data.type)) return false

  // An application may have messages of its own that are called "chunk" or "error".
  return data.type.startsWith("agent_") || "raaf" in data || "session_id" in data
}

export function normalize(data) {
  const type = TYPES[data.type]
  if (type === "agent_error") return { ...data, type }
  if (data.chunk_type === "error") return { ...data, type: "agent_error", error: data.content ?? data.error }

  return { ...data, type, metadata: { ...toolName(data), ...data.metadata } }
}

function toolName(data) {
  return data.raaf?.tool_name ? { tool_name: data.raaf.tool_name } : {}
}
