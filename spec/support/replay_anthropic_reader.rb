# frozen_string_literal: true

require "json"

# Reads a stream of Anthropic's Messages in plain Ruby: lines, then JSON, then the few fields that matter. It shares no
# code and no table with the native reader, so that the two can be compared.
class ReplayAnthropicReader
  # @return [Array<Array(Symbol, String)>] every piece of text in order: :content or :reasoning, and the text
  attr_reader :pieces
  # @return [Array<Hash>] :index, :id, :name, :arguments (String), in the order in which they began
  attr_reader :tool_calls
  # @return [Hash, nil] what the start said of usage with what the end said over it, with String keys
  attr_reader :raw_usage
  # @return [String, nil] the provider's word
  attr_reader :finish_reason

  # @param bytes [String] the body of a response, with any line ends
  def initialize(bytes)
    @pieces = []
    @tool_calls = []
    events = bytes.gsub(/\r\n?/, "\n").split("\n\n").filter_map { |event| event[/^data: ?(.*)$/, 1] }
    events.map { |data| JSON.parse(data) }.each { |event| read(event) }
    @tool_calls.each { |call| call[:arguments] << "{}" if call[:arguments].empty? }
  end

  # @return [String] the answer
  def text
    joined(:content)
  end

  # @return [String] all pieces of that type
  def joined(type)
    pieces.filter_map { |piece_type, piece| piece if piece_type == type }.join
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

  def read(event)
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
    when "text_delta" then @pieces << [:content, delta["text"]]
    when "thinking_delta" then @pieces << [:reasoning, delta["thinking"]]
    when "input_json_delta" then @tool_calls.find { |call| call[:index] == index }[:arguments] << delta["partial_json"]
    end
  end
end
