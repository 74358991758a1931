# frozen_string_literal: true

require "raaf/testing"

# A forgotten key is the first mistake there is: it is named, by the variable that would hold it, before a byte is sent.
RSpec.describe "A provider without its key" do
  classes = RAAF::Streaming::Providers.constants.map { |name| RAAF::Streaming::Providers.const_get(name) }
  demanding = classes.select do |provider|
    provider.is_a?(Class) && provider < RAAF::Models::HTTPProvider && provider::KEY_VARIABLES.any? &&
      provider.instance_method(:missing_key).owner == RAAF::Models::HTTPProvider
  end

  around do |example|
    with_env(demanding.flat_map { |provider| provider::KEY_VARIABLES }.to_h { |name| [name, nil] }) { example.run }
  end

  let(:server) { RAAF::Testing::ModelServer.start }

  after { server.stop }

  def run(provider, model = "some-model")
    agent = RAAF::Agent.new(name: "Assistant", model: model)
    RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider).run_and_stream("Hello")
  end

  it "is known for most" do
    expect(demanding.size).to be >= 9
  end

  demanding.each do |provider|
    it "is a ConfigurationError that names #{provider::KEY_VARIABLES.join(" or ")}, for #{provider.name}" do
      expect { run(provider.new(base_url: server.base_url)) }.to raise_error(RAAF::Errors::ConfigurationError) { |error|
        expect(error.message).to include("set #{provider::KEY_VARIABLES.join(" or ")}, or give api_key:")
        expect(error.provider).to eq(provider::NAME)
      }
      expect(server.connections).to eq(0)
    end

    it "is one too where the key is empty, for #{provider.name}" do
      with_env(provider::KEY_VARIABLES.to_h { |name| [name, ""] }) do
        expect { run(provider.new(base_url: server.base_url)) }.to raise_error(RAAF::Errors::ConfigurationError)
      end
      expect(server.connections).to eq(0)
    end
  end

  it "is the same where the model's name has found it" do
    expect { run(nil, "groq/llama-3.3-70b-versatile") }
      .to raise_error(RAAF::Errors::ConfigurationError, /GROQ_API_KEY/)
  end
end
