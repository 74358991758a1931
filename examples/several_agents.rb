# frozen_string_literal: true

# Several agents on one request. With OPENAI_API_KEY it talks to the real API; without, a model server in this process
# answers over a real socket, and one of the agents fails, so that it can be seen what becomes of the others.
$stdout.sync = true
trap("INT") { exit(130) } # the requests are ended on the way out

require "raaf-streaming"

if ENV["OPENAI_API_KEY"].to_s.empty?
  require "raaf/testing"
  server = RAAF::Testing::ModelServer.start
  server.script(demo: true, tokens: 12)
  server.script(status: 401)
  ENV["OPENAI_BASE_URL"] = server.base_url
  ENV["OPENAI_API_KEY"] = "not-a-real-key"
  warn "[OPENAI_API_KEY is not set: answers come from a model server on this machine, #{server.base_url}]"
end

orchestrator = RAAF::Streaming::Orchestrator.new(session_id: "42", timeout: 120)
{biologist: "Explain what is known.", poet: "Answer in four lines of verse.", critic: "Say what is doubtful."}
  .each { |name, how| orchestrator.add_agent(name, RAAF::Agent.new(name: name.to_s, instructions: how, model: "gpt-4o")) }

orchestrator.on(:agent_starting) { |event| puts "#{event[:agent]} begins" }
orchestrator.on(:agent_error) { |event| puts "#{event[:agent]} fails: #{event[:error].message}" }
orchestrator.on(:agent_complete) { |event| puts "#{event[:agent]} has said #{event[:result].length} characters" }

workflow = orchestrator.start("Why do whales sing?", type: :parallel)
result = workflow.result
orchestrator.event_bus.drain(5)

puts "", result.value!, "", "#{result.answers.size} answers, #{result.errors.size} failures, usage: #{result.usage}"
server&.stop
