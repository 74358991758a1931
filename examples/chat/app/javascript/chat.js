import consumer from "consumer"
import { Conversation } from "conversation"

// The page: what is typed goes to ChatChannel, what comes of it to the conversation.

const { streaming } = consumer
const conversation = new Conversation(document.getElementById("conversation"), { retry: (request) => streaming.retry(request) })
const connection = document.getElementById("connection")
const message = document.getElementById("message")
const stop = document.getElementById("stop")

const channel = consumer.subscriptions.create("ChatChannel", {
  connected: () => (connection.textContent = "connected"),
  disconnected: () => (connection.textContent = "connection lost, trying again"),
  received(data) {
    if (data.type === "asked") conversation.question(data.text, data.request_id)
    else if (data.chunk_type === "tool_call") conversation.tool(data.raaf?.stream_id, data.metadata.tool_name)
  },
})

streaming.on("change", (answer) => {
  conversation.answer(answer)
  stop.disabled = streaming.live.length === 0
})

function send() {
  const text = message.value.trim()
  if (!text) return

  conversation.asking(text)
  channel.perform("chat", { message: text })
  message.value = ""
}

document.getElementById("ask").addEventListener("submit", (event) => {
  event.preventDefault()
  send()
})

// Enter sends, Shift and Enter begins a line; not while an input method composes a character.
message.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return

  event.preventDefault()
  send()
})

stop.addEventListener("click", () => streaming.stop())
