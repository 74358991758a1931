# frozen_string_literal: true

require "json"

# Reads a Gemini stream in plain Ruby. It shares no code and no table with the native reader, so that the two can be
# compared. One candidate only, whole tool calls only, as in every recording; the arguments are cut out of the source.
class ReplayGeminiReader
  # The source of a call's arguments, which end where their brackets do.
  ARGS = /"args": ?(?<object>\{(?:[^{}"]|"(?:\\.|[^"\\])*"|\g<object>)*\})/

  # @return [Array<Array(Symbol, String)>] every piece of text in order: :content or :reasoning, and the text
  attr_reader :pieces
  # @return [Array<Hash>] :index, :id, :name, :arguments (String)
  attr_reader :tool_calls
  # @return [Array<Hash>] the parts with a signature, with String keys
  attr_reader :signed
  # @return [Hash, nil] the last usage as the provider wrote it, with String keys
  attr_reader :raw_usage
  # @return [String, nil] the provider's word
  attr_reader :finish_reason

  # @param bytes [String] the body of a response, with any line ends
  def initialize(bytes)
    @pieces = []
    @tool_calls = []
    @signed = []
    lines = bytes.dup.force_encoding("UTF-8").split(/\r\n|\r|\n/)
    lines.grep(/\Adata:/) { |line| read(line.delete_prefix("data:")) }
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

    thoughts = raw_usage["thoughtsTokenCount"]
    {
      prompt_tokens: raw_usage["promptTokenCount"],
      completion_tokens: raw_usage["candidatesTokenCount"].to_i + thoughts.to_i,
      total_tokens: raw_usage["totalTokenCount"], reasoning_tokens: thoughts
    }.compact
  end

  private

  def read(source)
    event = JSON.parse(source)
    @raw_usage = event["usageMetadata"] || @raw_usage
    candidate = event["candidates"].to_a.first or return
    arguments = source.scan(ARGS).flatten
    candidate.dig("content", "parts").to_a.each { |part| read_part(part, arguments) }
    @finish_reason ||= candidate["finishReason"]
  end

  def read_part(part, arguments)
    @signed << part if part["thoughtSignature"]
    @pieces << [part["thought"] ? :reasoning : :content, part["text"]] unless part["text"].to_s.empty?
    call = part["functionCall"] or return
    @tool_calls << {index: @tool_calls.size, id: call["id"], name: call["name"],
                    arguments: call["args"] ? arguments.shift : "{}"}
  end
end
