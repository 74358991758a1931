// Reads the guide's StreamingChat, where the guide is (in a folder beside the checkout), and makes it a class that takes
// its consumer and document from a test.

import { existsSync, readFileSync } from "node:fs"

const PATH = new URL("../../../../shared/guide.md", import.meta.url)

export const absent = existsSync(PATH) ? false : "no guide at ../shared/guide.md"

export function guideChat(consumer, document) {
  const source = readFileSync(PATH, "utf8").match(/```javascript\n(\/\/ app\/javascript\/streaming_chat\.js\n[^]*?)^```$/m)[1]
  const chat = source.match(/^class StreamingChat \{[^]*?^\}$/m)[0]
  const quiet = { log: () => {} }
  const StreamingChat = new Function("consumer", "document", "console", `${chat}; return StreamingChat`)(consumer, document, quiet)
  return new StreamingChat("chat-container")
}
