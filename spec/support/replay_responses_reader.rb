# frozen_string_literal: true

require_relative "replay_reader"

# A stream of OpenAI's Responses. Text and arguments are taken from their deltas, all else from the last event.
class ReplayResponsesReader < ReplayReader
  # The events that bring text, and what it is.
  TEXTS = {"response.output_text.delta" => :content, "response.refusal.delta" => :refusal,
           "response.reasoning_summary_text.delta" => :reasoning}.freeze

  def initialize(bytes)
    @deltas = []
    super
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

  private

  def read(data)
    event = JSON.parse(data)
    note(TEXTS[event["type"]], event["delta"]) if TEXTS.key?(event["type"])
    @deltas << event if event["type"] == "response.function_call_arguments.delta"
    @last = event["response"]
  end
end
