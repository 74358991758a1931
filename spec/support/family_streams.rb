# frozen_string_literal: true

require "json"

# Streams as the servers of the OpenAI family send them, written for these specs after their documentation. An event is
# a Hash, a text as it stands, or [name, Hash].
module FamilyStreams
  module_function

  # @param events [Array<Hash, String, Array>]
  # @param line_end [String]
  # @return [String] bytes
  def sse(events, line_end = "\n")
    events.map { |event| one(event) }.join.gsub("\n", line_end).b
  end

  # @return [String] one event, or a comment
  def one(event)
    name, data = event.is_a?(Array) ? event : [nil, event]
    return "#{data}\n\n" if data.is_a?(String) && data.start_with?(":")

    "#{"event: #{name}\n" if name}data: #{data.is_a?(String) ? data : JSON.generate(data)}\n\n"
  end

  # @return [Hash] an event with one choice
  def delta(finish_reason: nil, more: {}, **delta)
    {id: "gen-1", object: "chat.completion.chunk", created: 1_764_000_000, model: "m",
     choices: [{index: 0, delta: delta, finish_reason: finish_reason}], **more}
  end

  # @return [Array] an answer with signed and encrypted reasoning, and a tool call
  def openrouter
    details = lambda do |reasoning, **detail|
      delta(role: "assistant", content: "", reasoning: reasoning,
        reasoning_details: [{type: "reasoning.text", format: "anthropic-claude-v1", index: 0, **detail}])
    end
    [": OPENROUTER PROCESSING", details.call("Let me ", text: "Let me "), ": OPENROUTER PROCESSING",
      details.call("look.", text: "look."), details.call(nil, text: "", signature: "c2lnbmF0dXJl"),
      delta(reasoning_details: [{type: "reasoning.encrypted", data: "ZW5j", id: "rs_1", format: "openai-responses-v1",
                                 index: 1}]),
      delta(content: "Łódź"),
      delta(tool_calls: [{index: 0, id: "call_1", type: "function", function: {name: "weather", arguments: "{}"}}]),
      delta(finish_reason: "tool_calls"),
      {id: "gen-1", provider: "Anthropic", choices: [],
       usage: {prompt_tokens: 5, completion_tokens: 9, total_tokens: 14, cost: 0.001}}, "[DONE]"]
  end

  # @return [Array] an answer that repeats its sources and all of its text in every event, with CRLF
  def perplexity
    results = [{title: "A", url: "https://a.example/", date: "2026-01-01"}, {title: "B", url: "https://b.example/"}]
    said = +""
    pieces = ["War", "szawa", "[1][2]"].map do |piece|
      said << piece
      {id: "p", model: "sonar", object: "chat.completion.chunk", citations: results.map { |one| one[:url] },
       search_results: results, usage: {prompt_tokens: 3, completion_tokens: 1, total_tokens: 4},
       choices: [{index: 0, message: {role: "assistant", content: said.dup},
                  delta: {role: "assistant", content: piece}}]}
    end
    pieces.last[:choices].first[:finish_reason] = "stop"
    [": ping - 2026-06-08 18:49:47.737080", pieces[0], ": ping - 2026-06-08 18:49:49.000000", *pieces[1..]]
  end

  # @return [Array] thinking and text in arrays, then text in Strings; the padding field and the reference with it
  def mistral
    think = ->(text, **more) { {type: "thinking", thinking: [{type: "text", text: text}], **more} }
    [delta(role: "assistant", content: "", more: {p: "abcd"}), delta(content: [think.call("Hm, ")]),
      delta(content: [think.call("so", signature: "c2ln", closed: true), {type: "text", text: "It "}]),
      delta(content: [{type: "reference", reference_ids: [3]}]), delta(content: "rains."),
      delta(finish_reason: "tool_calls", tool_calls: [
        {id: "A1b2C3d4E", function: {name: "weather", arguments: '{"city": "Łódź"}'}, index: 0}
      ], more: {usage: {prompt_tokens: 9, completion_tokens: 4, total_tokens: 13}}), "[DONE]"]
  end

  # @return [Array] the filter's results before, within and behind the answer, and no name of the object
  def azure
    filter = {hate: {filtered: false, severity: "safe"}}
    [{choices: [], created: 0, id: "", model: "", object: "", prompt_filter_results: [{prompt_index: 0}]},
      delta(role: "assistant", content: "", refusal: nil), ["keepalive", {}], delta(content: "He"),
      {choices: [{index: 0, finish_reason: "", delta: {content: "llo"}, content_filter_results: filter}]},
      delta(finish_reason: "stop"),
      {choices: [{index: 0, finish_reason: nil, content_filter_offsets: {check_offset: 44},
                  content_filter_results: filter}], object: ""},
      {choices: [], usage: {prompt_tokens: 1, completion_tokens: 2, total_tokens: 3}}, "[DONE]"]
  end

  # @return [Array] signatures, and tool calls without an index, as Gemini's compatible server sends them
  def gemini
    call = lambda do |id, name, **more|
      {id: id, type: "function", function: {name: name, arguments: '{"city":"Łódź"}'}, **more}
    end
    signed = {extra_content: {google: {thought_signature: "U2ln"}}}
    [delta(role: "assistant", content: "Look: ", extra_content: {google: {thought_signature: "VGV4dA"}}),
      delta(tool_calls: [call.call("f1", "weather", **signed)]),
      delta(tool_calls: [call.call("f2", "time")], finish_reason: "stop"), "[DONE]"]
  end

  # @return [Array] reasoning, tools that the server ran itself, an annotation, and usage in the field of the vendor
  def groq
    [delta(role: "assistant", content: "", more: {x_groq: {id: "req_1", seed: 1}}),
      delta(reasoning: "Search.", channel: "analysis"),
      delta(executed_tools: [{index: 0, type: "search", arguments: "{}", output: "found"}]),
      delta(content: "Yes.", annotations: [{type: "document_citation",
                                            document_citation: {document_id: "d", start_index: 0, end_index: 3}}]),
      delta(finish_reason: "stop", more: {x_groq: {id: "req_1", usage: {
        prompt_tokens: 4, completion_tokens: 6, total_tokens: 10, completion_tokens_details: {reasoning_tokens: 2}
      }}}), "[DONE]"]
  end

  # @return [Array] reasoning, then a tool call, and the counts of the cache
  def deepseek
    [delta(role: "assistant", content: nil, reasoning_content: ""),
      delta(content: nil, reasoning_content: "I need "), delta(content: nil, reasoning_content: "the date."),
      delta(content: "One moment."),
      delta(tool_calls: [{index: 0, id: "call_0", type: "function", function: {name: "date", arguments: ""}}]),
      delta(tool_calls: [{index: 0, function: {arguments: "{}"}}]),
      delta(finish_reason: "tool_calls", content: "", more: {usage: {
        prompt_tokens: 20, completion_tokens: 8, total_tokens: 28, prompt_cache_hit_tokens: 12,
        prompt_cache_miss_tokens: 8, completion_tokens_details: {reasoning_tokens: 5}
      }}), "[DONE]"]
  end

  # @return [Array] no [DONE], and usage with fields of its own in every event
  def vllm
    usage = ->(count) { {usage: {prompt_tokens: 2, completion_tokens: count, total_tokens: 2 + count, ttft_ms: 1.5}} }
    [delta(role: "assistant", content: "", more: usage.call(0)), delta(content: "Hel", more: usage.call(1)),
      delta(content: "lo", more: usage.call(2)), delta(finish_reason: "stop", stop_reason: nil, more: usage.call(3))]
  end

  # All of them.
  NAMES = %i[openrouter perplexity mistral azure gemini groq deepseek vllm].freeze
end
