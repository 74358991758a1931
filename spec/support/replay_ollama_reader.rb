# frozen_string_literal: true

require "json"

# Reads an Ollama stream in plain Ruby. It shares no code and no table with the native reader, so that the two can be
# compared. The arguments of a call are cut out of the source.
class ReplayOllamaReader
  # The source of a call's arguments, which end where their brackets do.
  ARGUMENTS = /"arguments":(?<object>\{(?:[^{}"]|"(?:\\.|[^"\\])*"|\g<object>)*\})/
  # What counts and durations there are, in the order in which they are written.
  MEASURES = %w[total_duration load_duration prompt_eval_count prompt_eval_duration eval_count eval_duration].freeze

  # @return [Array<Array(Symbol, String)>] every piece of text in order: :content or :reasoning, and the text
  attr_reader :pieces
  # @return [Array<Hash>] :index, :id, :name, :arguments (String)
  attr_reader :tool_calls
  # @return [Hash, nil] counts and durations as the provider wrote them, with String keys
  attr_reader :raw_usage
  # @return [String, nil] the provider's word
  attr_reader :finish_reason

  # @param bytes [String] the body of a response, with any line ends
  def initialize(bytes)
    @pieces = []
    @tool_calls = []
    lines = bytes.dup.force_encoding("UTF-8").split(/[\r\n]+/)
    lines.each { |line| read(line) }
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
    prompt, completion = raw_usage&.values_at("prompt_eval_count", "eval_count")
    {prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion} if prompt && completion
  end

  private

  def read(source)
    line = JSON.parse(source)
    message = line.fetch("message")
    note(:reasoning, message["thinking"])
    note(:content, message["content"])
    arguments = source.scan(ARGUMENTS).flatten
    message["tool_calls"].to_a.each { |call| add(call, arguments.shift) }
    return unless line["done"]

    @finish_reason = line["done_reason"]
    @raw_usage = line.slice(*MEASURES)
  end

  def note(type, text)
    @pieces << [type, text] unless text.to_s.empty?
  end

  def add(call, arguments)
    @tool_calls << {index: call.dig("function", "index") || @tool_calls.size, id: call["id"],
                    name: call.dig("function", "name"), arguments: arguments}
  end
end
