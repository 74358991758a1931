# frozen_string_literal: true

require_relative "replay_reader"

# A stream of Anthropic's Messages. Its usage is what the start said with what the end said over it.
class ReplayAnthropicReader < ReplayReader
  def initialize(bytes)
    super
    @tool_calls.each { |call| call[:arguments] << "{}" if call[:arguments].empty? }
  end

  # @return [Hash{Symbol=>Integer}, nil] the counts under the names that a result has
  def usage
    return unless raw_usage

    read, written, output = raw_usage.values_at("cache_read_input_tokens", "cache_creation_input_tokens",
      "output_tokens")
    prompt = raw_usage["input_tokens"] + read.to_i + written.to_i
    {prompt_tokens: prompt, completion_tokens: output, total_tokens: prompt + output, cached_tokens: read,
     cache_write_tokens: written, reasoning_tokens: raw_usage.dig("output_tokens_details", "thinking_tokens")}.compact
  end

  private

  def read(data)
    event = JSON.parse(data)
    case event["type"]
    when "message_start" then @raw_usage = event.dig("message", "usage")
    when "content_block_start" then begin_block(event["content_block"], event["index"])
    when "content_block_delta" then add(event["delta"], event["index"])
    when "message_delta"
      @finish_reason ||= event.dig("delta", "stop_reason")
      @raw_usage = (@raw_usage || {}).merge(event["usage"].to_h.compact)
    end
  end

  def begin_block(block, index)
    return unless block["type"] == "tool_use"

    @tool_calls << {index: index, id: block["id"], name: block["name"], arguments: +""}
  end

  def add(delta, index)
    case delta["type"]
    when "text_delta" then note(:content, delta["text"])
    when "thinking_delta" then note(:reasoning, delta["thinking"])
    when "input_json_delta" then @tool_calls.find { |call| call[:index] == index }[:arguments] << delta["partial_json"]
    end
  end
end
