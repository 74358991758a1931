# frozen_string_literal: true

require_relative "replay_reader"

# An Ollama stream, of which each line is an event. The arguments of a call are cut out of the source.
class ReplayOllamaReader < ReplayReader
  # The source of a call's arguments, which end where their brackets do.
  ARGUMENTS = /"arguments":(?<object>\{(?:[^{}"]|"(?:\\.|[^"\\])*"|\g<object>)*\})/
  # What counts and durations there are, in the order in which they are written.
  MEASURES = %w[total_duration load_duration prompt_eval_count prompt_eval_duration eval_count eval_duration].freeze

  # @return [Hash{Symbol=>Integer}, nil] the counts under the names that a result has
  def usage
    prompt, completion = raw_usage&.values_at("prompt_eval_count", "eval_count")
    {prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion} if prompt && completion
  end

  private

  def each_event(lines, &block)
    lines.reject(&:empty?).each(&block)
  end

  def read(data)
    line = JSON.parse(data)
    message = line.fetch("message")
    note(:reasoning, message["thinking"])
    note(:content, message["content"])
    arguments = data.scan(ARGUMENTS).flatten
    message["tool_calls"].to_a.each { |call| add(call, arguments.shift) }
    return unless line["done"]

    @finish_reason = line["done_reason"]
    @raw_usage = line.slice(*MEASURES)
  end

  def add(call, arguments)
    @tool_calls << {index: call.dig("function", "index") || @tool_calls.size, id: call["id"],
                    name: call.dig("function", "name"), arguments: arguments}
  end
end
