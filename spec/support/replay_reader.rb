# frozen_string_literal: true

require "json"

# Reads an OpenAI chat stream in plain Ruby: lines, then JSON, then the few fields that matter. It shares no code and no
# table with the native reader, so that the two can be compared. One choice only, as in every recording.
class ReplayReader
  # The fields of the reasoning's spellings; an event that has several says the same in each.
  REASONING = %w[reasoning_content reasoning].freeze

  # @return [Array<Array(Symbol, String)>] every piece of text in order: :content, :reasoning or :refusal, and the text
  attr_reader :pieces
  # @return [Hash, nil] the last usage as the provider wrote it, with String keys
  attr_reader :raw_usage
  # @return [String, nil] the provider's word
  attr_reader :finish_reason

  # @param bytes [String] the body of a response, with any line ends
  def initialize(bytes)
    @pieces = []
    @calls = {}
    @done = false
    each_event(bytes) { |data| (data == "[DONE]") ? @done = true : read(JSON.parse(data)) }
  end

  # @return [Boolean] whether `[DONE]` came
  def done?
    @done
  end

  # @return [String] the answer
  def text
    joined(:content)
  end

  # @return [String] all pieces of that type
  def joined(type)
    pieces.filter_map { |piece_type, piece| piece if piece_type == type }.join
  end

  # @return [Array<Hash>] :index, :id, :name, :arguments (String), in the order in which they began
  def tool_calls
    @calls.values
  end

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

  def each_event(bytes)
    data = []
    bytes.gsub(/\r\n?/, "\n").each_line(chomp: true) do |line|
      data << line.delete_prefix("data:").delete_prefix(" ") if line.start_with?("data:")
      next unless line.empty? && data.any?

      yield data.join("\n")
      data = []
    end
  end

  def read(event)
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

  def note(type, text)
    @pieces << [type, text] unless text.to_s.empty?
  end

  def add(fragment)
    call = @calls[fragment.fetch("index")] ||= {index: fragment["index"], id: nil, name: +"", arguments: +""}
    call[:id] ||= fragment["id"]
    call[:name] << fragment.dig("function", "name").to_s
    call[:arguments] << fragment.dig("function", "arguments").to_s
  end
end
