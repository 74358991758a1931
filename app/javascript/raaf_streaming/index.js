// The browser's side of raaf-streaming: what app/javascript/consumer.js of an application stands on.

export { streamingConsumer } from "raaf_streaming/consumer"
export { controls } from "raaf_streaming/controls"
export { Frames } from "raaf_streaming/frames"
