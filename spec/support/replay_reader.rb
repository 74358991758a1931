# frozen_string_literal: true

require "json"

# Reads a recorded stream in plain Ruby: events, then JSON, then the few fields that matter. It shares no code and no
# table with the native reader, so that the two can be compared. A subclass says how its provider writes: {#read} takes
# the data of one event.
class ReplayReader
  # @return [Array<Array(Symbol, String)>] every piece of text in order: :content, :reasoning or :refusal, and the text
  attr_reader :pieces
  # @return [Array<Hash>] :index, :id, :name, :arguments (String), in the order in which they began
  attr_reader :tool_calls
  # @return [Hash, nil] the last usage as the provider wrote it, with String keys
  attr_reader :raw_usage
  # @return [String, nil] the provider's word
  attr_reader :finish_reason

  # @param bytes [String] the body of a response, with any line ends
  def initialize(bytes)
    @pieces = []
    @tool_calls = []
    lines = bytes.dup.force_encoding("UTF-8").gsub(/\r\n?/, "\n").lines(chomp: true)
    each_event(lines) { |data| read(data) }
  end

  # @return [String] the answer
  def text
    joined(:content)
  end

  # @return [String] all pieces of that type
  def joined(type)
    pieces.filter_map { |piece_type, piece| piece if piece_type == type }.join
  end

  private

  # Server-sent events: the lines of data of each, joined.
  def each_event(lines)
    data = []
    lines.each do |line|
      data << line.delete_prefix("data:").delete_prefix(" ") if line.start_with?("data:")
      next unless line.empty? && data.any?

      yield data.join("\n")
      data = []
    end
  end

  def read(data)
    raise NotImplementedError
  end

  def note(type, text)
    @pieces << [type, text] unless text.to_s.empty?
  end
end
