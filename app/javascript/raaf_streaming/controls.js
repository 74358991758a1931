// The buttons of the generated page: Stop (#stop-button) can be pressed while an answer is being written, and Retry
// appears beside one that has failed. A page without them is left alone.

export function controls(consumer, document = globalThis.document) {
  const { streaming } = consumer
  const retries = new WeakMap() // element of an answer => its button
  streaming.on("change", (answer) => {
    showStop(streaming, document)
    if (answer.bubble) showRetry(streaming, document, retries, answer)
  })
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#stop-button")) streaming.stop()
  })
}

function showStop(streaming, document) {
  const button = document.getElementById("stop-button")
  if (!button) return

  const idle = streaming.live.length === 0
  // A button that cannot be pressed any more would take the keyboard's focus with it.
  if (idle && document.activeElement === button) document.getElementById("message-input")?.focus()
  button.disabled = idle
}

function showRetry(streaming, document, retries, { bubble, state, retryable }) {
  const button = retries.get(bubble)
  const wanted = state === "error" && retryable
  if (wanted && !button) return retries.set(bubble, addRetry(streaming, document, bubble))
  if (wanted || !button) return

  if (document.activeElement === button) document.getElementById("message-input")?.focus()
  button.remove()
  retries.delete(bubble)
}

function addRetry(streaming, document, bubble) {
  const button = document.createElement("button")
  button.type = "button"
  button.className = "raaf-retry"
  button.textContent = "Retry"
  button.setAttribute("aria-label", "Retry this answer")
  button.addEventListener("click", () => streaming.retry(bubble))
  bubble.after(button)
  return button
}
