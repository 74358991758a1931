# frozen_string_literal: true

# The guide's first example. With OPENAI_API_KEY it talks to the real API (OPENAI_BASE_URL for another one of the same
# kind); without, a model server in this process answers over a real socket, and says at the end what it saw.
$stdout.sync = true # so that the chunks show as they come, also through a pipe
trap("INT") { exit(130) } # the request is ended on the way out

if ENV["OPENAI_API_KEY"].to_s.empty?
  require "raaf/testing"
  server = RAAF::Testing::ModelServer.start
  ENV["OPENAI_BASE_URL"] = server.base_url
  ENV["OPENAI_API_KEY"] = "not-a-real-key"
  warn "[OPENAI_API_KEY is not set: answers come from a model server on this machine, #{server.base_url}]"
end

# From here on it is the guide's code.
require "raaf-core"

agent = RAAF::Agent.new(
  name: "StreamingAssistant",
  instructions: "Provide helpful responses. Stream your thoughts as you work.",
  model: "gpt-4o"
)

runner = RAAF::Streaming::AsyncRunner.new(agent: agent)

# Stream responses chunk by chunk
runner.run_and_stream("Tell me a story") do |chunk|
  case chunk.type
  when :content
    print chunk.delta # Print each content chunk as it arrives
  when :tool_call
    puts "\n[Using tool: #{chunk.tool_name}]"
  when :complete
    puts "\n[Response complete]"
  end
end
# Here it ends.

if server
  server.stop
  warn "[the server's log]"
  server.requests.each do |request|
    times = request.writes.map { |write| write[:at] }
    spread = times.empty? ? 0.0 : times.last - times.first
    warn format("  %s %s  model=%s  %d writes in %.2f s", request.http_method, request.path, request.json&.dig(:model),
      times.size, spread)
  end
end
