# frozen_string_literal: true

# Without a key, answers come from a model server in this process, over a real socket. It asks for the tool where the
# question is about time; it fails, or takes its time, where it is asked to.
if ENV["OPENAI_API_KEY"].to_s.empty?
  require "raaf/testing"

  server = RAAF::Testing::ModelServer.start
  ENV["OPENAI_BASE_URL"] = server.base_url
  ENV["OPENAI_API_KEY"] = "not-a-real-key"
  Rails.application.config.x.model_server = server

  server.default_script do |request|
    last = request.json[:messages].last
    if last[:role] == "tool"
      {deltas: "It is #{last[:content]}.".scan(/\S+\s*/), delay: 0.05}
    elsif (city = last[:content][/\btime\b.*\bin\s+(\p{L}+(?:\s\p{Lu}\p{L}*)?)/i, 1])
      {tool_calls: [{id: "call_#{SecureRandom.hex(4)}", name: "local_time", arguments: {city: city}}], first_delay: 0.3}
    elsif last[:content].match?(/\bfail\b/i)
      {deltas: ["As far as this, ", "and then "], delay: 0.2, error: "The model is overloaded"}
    else
      {demo: true, delay: (0.1 if last[:content].match?(/\bslowly\b/i))}
    end
  end
end
