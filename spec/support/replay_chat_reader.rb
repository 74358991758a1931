# frozen_string_literal: true

require_relative "replay_reader"

# An OpenAI chat stream. One choice only, as in every recording.
class ReplayChatReader < ReplayReader
  # The fields of the reasoning's spellings; an event that has several says the same in each.
  REASONING = %w[reasoning_content reasoning].freeze

  # @return [Hash{Symbol=>Integer}, nil] the counts under the names that a result has
  def usage
    return unless raw_usage

    prompt = raw_usage["prompt_tokens_details"] || {}
    completion = raw_usage["completion_tokens_details"] || {}
    {
      prompt_tokens: raw_usage["prompt_tokens"], completion_tokens: completion_tokens(completion["reasoning_tokens"]),
      total_tokens: raw_usage["total_tokens"], cached_tokens: prompt["cached_tokens"],
      reasoning_tokens: completion["reasoning_tokens"], audio_prompt_tokens: prompt["audio_tokens"],
      audio_completion_tokens: completion["audio_tokens"]
    }.compact
  end

  private

  # All that was written, reasoning included: some count that apart, and their total tells.
  def completion_tokens(reasoning)
    prompt, written, total = raw_usage.values_at("prompt_tokens", "completion_tokens", "total_tokens")
    (total == prompt + written + reasoning.to_i) ? written + reasoning.to_i : written
  end

  def read(data)
    read_event(JSON.parse(data)) unless data == "[DONE]"
  end

  def read_event(event)
    @raw_usage = event["usage"] || event.dig("x_groq", "usage") || @raw_usage
    choice = event["choices"].to_a.first or return
    raise "more than one choice" if event["choices"].size > 1 || choice["index"] != 0

    delta = choice["delta"] || {}
    note(:reasoning, delta.values_at(*REASONING).compact.reject(&:empty?).first)
    note(:content, delta["content"])
    note(:refusal, delta["refusal"])
    delta["tool_calls"].to_a.each { |fragment| add(fragment) }
    @finish_reason ||= choice["finish_reason"]
  end

  def add(fragment)
    call = call_at(fragment.fetch("index"))
    call[:id] ||= fragment["id"]
    call[:name] << fragment.dig("function", "name").to_s
    call[:arguments] << fragment.dig("function", "arguments").to_s
  end

  def call_at(index)
    known = tool_calls.find { |call| call[:index] == index }
    return known if known

    @tool_calls << {index: index, id: nil, name: +"", arguments: +""}
    tool_calls.last
  end
end
