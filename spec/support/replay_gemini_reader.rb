# frozen_string_literal: true

require_relative "replay_reader"

# A Gemini stream. One candidate only, whole tool calls only, as in every recording; the arguments are cut out of the
# source.
class ReplayGeminiReader < ReplayReader
  # The source of a call's arguments, which end where their brackets do.
  ARGS = /"args": ?(?<object>\{(?:[^{}"]|"(?:\\.|[^"\\])*"|\g<object>)*\})/

  # @return [Array<Hash>] the parts with a signature, with String keys
  attr_reader :signed

  def initialize(bytes)
    @signed = []
    super
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

  def read(data)
    event = JSON.parse(data)
    @raw_usage = event["usageMetadata"] || @raw_usage
    candidate = event["candidates"].to_a.first or return
    arguments = data.scan(ARGS).flatten
    candidate.dig("content", "parts").to_a.each { |part| read_part(part, arguments) }
    @finish_reason ||= candidate["finishReason"]
  end

  def read_part(part, arguments)
    @signed << part if part["thoughtSignature"]
    note(part["thought"] ? :reasoning : :content, part["text"])
    call = part["functionCall"] or return
    @tool_calls << {index: @tool_calls.size, id: call["id"], name: call["name"],
                    arguments: call["args"] ? arguments.shift : "{}"}
  end
end
