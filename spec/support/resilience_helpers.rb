# frozen_string_literal: true

# What the specs of resilient runs share: a model server, another one as the backup, and what an answer came to.
RSpec.shared_context "with a backup server" do
  include_context "with a model server"

  let(:backup) { RAAF::Testing::ModelServer.start }
  let(:agent) { RAAF::Agent.new(name: "Assistant", instructions: "Be brief.", model: "gpt-4o") }

  # All that one run gave: `result` or `error` is nil.
  let(:outcome) do
    Struct.new(:chunks, :result, :error) do
      # What somebody reads who prints every piece and wipes it all away where he is told to start over.
      def shown
        chunks.each_with_object(+"") do |chunk, text|
          text.clear if chunk.status? && chunk.status == :reset
          text << chunk.delta if chunk.content?
        end
      end

      def words
        chunks.select(&:error?).map(&:delta)
      end

      def types
        chunks.map(&:type)
      end
    end
  end

  # Circuit breakers are the process's, and a port may be had again.
  before { RAAF::Streaming::Resilience::Breakers.clear }

  after { backup.stop }

  def provider_of(server)
    RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: server.base_url)
  end

  # One whose delays nobody has to wait for.
  def resilient(**options)
    RAAF::Streaming::ResilientRunner.new(agent: agent, provider: provider_of(server), retry_delay: 0.01,
      backup_providers: [[provider_of(backup), "gpt-backup"]], **options)
  end

  def ask(runner = resilient, message = "Hi", **options)
    chunks = []
    result = runner.run_and_stream(message, **options) do |chunk|
      chunks << chunk
      yield chunk if block_given?
    end
    outcome.new(chunks, result, nil)
  rescue RAAF::Errors::Error => e
    outcome.new(chunks, nil, e)
  end

  # The conversation of a request, without the system message.
  def asked(server, number = 1)
    server.wait_for_request(number).json[:messages].drop(1).map { |message| message.values_at(:role, :content) }
  end

  def answer(*deltas)
    {deltas: deltas.empty? ? %w[Hel lo] : deltas, usage: true}
  end

  # An answer that breaks off after its first so many deltas.
  def broken(deltas, after:, how: :cut)
    return {deltas: deltas, fault: how, after: after + 1} unless how == :error # the first event is the role's

    {deltas: deltas.first(after), error: {message: "No luck", type: "server_error"}}
  end
end
