# frozen_string_literal: true

require "json"
require "raaf/testing"
require_relative "family_streams"

# What a provider is said to let through, tried: a chunk that comes, or a text that stands in the request. Each returns
# whether it does.
module ProviderChecks
  # How a server writes its thinking, where not in the field that most use; by the provider's name.
  REASONING = {
    "groq" => {reasoning: ["Hm"], reasoning_field: :reasoning, deltas: ["a"]},
    "together" => {reasoning: ["Hm"], reasoning_field: :reasoning, deltas: ["a"]},
    "openrouter" => {reasoning: ["Hm"], reasoning_field: :reasoning_details, deltas: ["a"]},
    "mistral" => {deltas: [{content: [{type: "thinking", thinking: [{type: "text", text: "Hm"}]}]}, "a"]}
  }.freeze

  # How a server writes its sources; by the provider's name, or by its dialect.
  CITATIONS = {
    "perplexity" => {bytes: FamilyStreams.sse(FamilyStreams.perplexity)},
    "xai" => {bytes: FamilyStreams.sse([FamilyStreams.delta(finish_reason: "stop", more: {citations: ["https://a"]})])},
    "mistral" => {deltas: [{content: [{type: "reference", reference_ids: [1]}]}]},
    :openai_chat => {deltas: [{annotations: [{type: "url_citation", url_citation: {url: "https://a"}}]}]},
    :openai_responses => {bytes: FamilyStreams.sse([
      {type: "response.output_text.delta", item_id: "m", output_index: 0, content_index: 0, delta: "a"},
      {type: "response.output_text.annotation.added", item_id: "m", output_index: 0, content_index: 0,
       annotation_index: 0, annotation: {type: "url_citation", url: "https://a"}},
      {type: "response.completed", response: {status: "completed", error: nil}}
    ])},
    :anthropic => {bytes: FamilyStreams.sse([
      {type: "content_block_start", index: 0, content_block: {type: "text", text: "", citations: []}},
      {type: "content_block_delta", index: 0, delta: {type: "text_delta", text: "a"}},
      {type: "content_block_delta", index: 0, delta: {type: "citations_delta", citation: {type: "char_location"}}},
      {type: "content_block_stop", index: 0}, {type: "message_delta", delta: {stop_reason: "end_turn"}},
      {type: "message_stop"}
    ])},
    :gemini => {bytes: FamilyStreams.sse([
      {candidates: [{index: 0, content: {role: "model", parts: [{text: "a"}]}, finishReason: "STOP",
                     groundingMetadata: {groundingChunks: [{web: {uri: "https://a", title: "A"}}]}}]}
    ])}
  }.freeze

  # A tool, an image, a file and a schema whose words are easily found.
  TOOL = {type: "function", function: {name: "zebra", description: "x", parameters: {type: "object"}}}.freeze
  IMAGE = {type: "image_url", image_url: {url: "data:image/png;base64,WmVicmE="}}.freeze
  FILE = {type: "file", file: {file_data: "data:application/pdf;base64,WmVicmE=", filename: "a.pdf"}}.freeze
  SCHEMA = {type: "json_schema", json_schema: {name: "animal", strict: true, schema: {
    type: "object", properties: {zebra: {type: "string"}}, required: ["zebra"], additionalProperties: false
  }}}.freeze

  def text_through?(provider)
    chunks_of(provider, deltas: ["Zażółć"]).any? { |chunk| chunk.content? && chunk.delta == "Zażółć" }
  end

  def reasoning_through?(provider)
    script = REASONING.fetch(provider::NAME, {reasoning: ["Hm"], deltas: ["a"]})
    chunks_of(provider, **script).any? { |chunk| chunk.reasoning? && chunk.delta == "Hm" }
  end

  def tools_through?(provider)
    chunks = chunks_of(provider, tool_calls: [{id: "call_1", name: "zebra", arguments: {a: 1}}])
    chunks.any? { |chunk| chunk.tool_call? && chunk.arguments == {a: 1} } &&
      request_of(provider, tools: [TOOL]).include?("zebra")
  end

  def images_through?(provider)
    request_of(provider, [IMAGE]).include?("WmVicmE=")
  end

  def files_through?(provider)
    request_of(provider, [FILE]).include?("WmVicmE=")
  end

  def structured_output_through?(provider)
    request_of(provider, settings: {response_format: SCHEMA}).include?("zebra")
  end

  def citations_through?(provider)
    script = CITATIONS[provider::NAME] || CITATIONS.fetch(provider_at(provider, "http://localhost/v1").dialect)
    chunks_of(provider, **script).any?(&:citation?)
  end

  private

  def provider_at(provider, base_url)
    provider.new(api_key: "a-test-key", base_url: base_url)
  end

  # The chunks of an answer that was scripted so.
  def chunks_of(provider, **script)
    chunks = []
    RAAF::Testing::ModelServer.start do |server|
      server.default_script(deltas: ["end"]).script(**script)
      agent = RAAF::Agent.new(name: "Assistant", model: "some-model")
      runner = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider_at(provider, server.base_url))
      runner.run_and_stream("Hi") { |chunk| chunks << chunk }
    end
    chunks
  end

  # The body of a request.
  def request_of(provider, content = "Hello", settings: {}, tools: [])
    provider_at(provider, "http://localhost/v1").build_request(messages: [{role: "user", content: content}],
      model: "some-model", settings: settings, tools: tools)[:body]
  end
end
