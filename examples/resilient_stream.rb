# frozen_string_literal: true

# An answer that outlives its provider. Two model servers in this process stand for two providers: the first breaks off
# in the middle of its answer, and the second goes on from there. Needs no key.
require "raaf-streaming"
require "raaf/testing"

$stdout.sync = true # so that the chunks show as they come, also through a pipe
trap("INT") { exit(130) } # the request is ended on the way out

first = RAAF::Testing::ModelServer.start
second = RAAF::Testing::ModelServer.start
first.script(deltas: ["The sky is blue ", "because air ", "scatters"], delay: 0.2, fault: :cut, after: 3)
second.script(deltas: ["air scatters ", "blue light ", "more than red."], delay: 0.2, usage: true)

agent = RAAF::Agent.new(name: "Assistant", instructions: "Be brief.", model: "gpt-4o",
  provider: RAAF::Models::OpenAIProvider.new(api_key: "not-a-real-key", base_url: first.base_url))
backup = RAAF::Models::AnthropicProvider.new(api_key: "not-a-real-key", base_url: second.base_url)

runner = RAAF::Streaming::ResilientRunner.new(agent: agent, backup_providers: [[backup, "claude-sonnet-5"]],
  after_content: :continue)

result = runner.run_and_stream("Why is the sky blue?", max_retries: 3, retry_delay: 1) do |chunk|
  print chunk.delta if chunk.content?
  puts "\n[#{chunk.delta}]" if chunk.error?
end

puts "\n[#{result.failed? ? result.error.message : "#{result.provider} ended it: #{result.text.length} characters"}]"
