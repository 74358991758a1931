import { createConsumer } from "@rails/actioncable"
import { streamingConsumer } from "raaf_streaming"

export default streamingConsumer(createConsumer())
