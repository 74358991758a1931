# frozen_string_literal: true

require "json"

# Reads a stream of OpenAI's Responses in plain Ruby: lines, then JSON, then the few fields that matter. Text and
# arguments are taken from their deltas, all else from the last event. It shares no code and no table with the native
# reader, so that the two can be compared.
class ReplayResponsesReader
  # The events that bring text, and what it is.
  TEXTS = {"response.output_text.delta" => :content, "response.refusal.delta" => :refusal,
           "response.reasoning_summary_text.delta" => :reasoning}.freeze

  # @return [Array<Array(Symbol, String)>] every piece of text in order: :content, :reasoning or :refusal, and the text
  attr_reader :pieces
  # @return [Array<String>] the types of all events, in order
  attr_reader :types

  # @param bytes [String] the body of a response, with any line ends
  def initialize(bytes)
    events = bytes.gsub(/\r\n?/, "\n").lines(chomp: true).grep(/\Adata:/)
      .map { |line| JSON.parse(line.delete_prefix("data:")) }
    @types = events.map { |event| event["type"] }
    @pieces = events.filter_map { |event| [TEXTS[event["type"]], event["delta"]] if TEXTS.key?(event["type"]) }
    @deltas = events.select { |event| event["type"] == "response.function_call_arguments.delta" }
    @last = events.last.fetch("response")
  end

  # @return [String] the answer
  def text
    joined(:content)
  end

  # @return [String] all pieces of that type
  def joined(type)
    pieces.filter_map { |piece_type, piece| piece if piece_type == type }.join
  end

  # @return [Array<Hash>] :index, :id, :name, :arguments (String), in the order of the output
  def tool_calls
    calls = @last["output"].each_with_index.select { |item, _| item["type"] == "function_call" }
    calls.map do |item, index|
      pieces = @deltas.filter_map { |event| event["delta"] if event["output_index"] == index }
      {index: index, id: item["call_id"], name: item["name"], arguments: pieces.join}
    end
  end

  # @return [Hash, nil] as the provider wrote it, with String keys
  def raw_usage
    @last["usage"]
  end

  # @return [Hash{Symbol=>Integer}, nil] the counts under the names that a result has
  def usage
    return unless raw_usage

    {prompt_tokens: raw_usage["input_tokens"], completion_tokens: raw_usage["output_tokens"],
     total_tokens: raw_usage["total_tokens"], cached_tokens: raw_usage.dig("input_tokens_details", "cached_tokens"),
     reasoning_tokens: raw_usage.dig("output_tokens_details", "reasoning_tokens")}.compact
  end

  # @return [String] the provider's word
  def finish_reason
    @last.dig("incomplete_details", "reason") || @last["status"]
  end

  # @return [String] what the last event says the answer was
  def final_text
    parts = @last["output"].flat_map { |item| item["content"] || [] }
    parts.filter_map { |part| part["text"] }.join
  end
end
