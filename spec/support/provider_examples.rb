# frozen_string_literal: true

require "json"
require "yaml"

# What the specs of all providers say of keys and headers. They are used in a group that describes a provider's class
# and has a method `request(provider, **options)`, which builds a request.

#   it_behaves_like "a provider that keeps its secrets", api_key: "sk-test-key-1", headers: {"X-Token" => "hidden"}
RSpec.shared_examples "a provider that keeps its secrets" do |**options|
  subject(:provider) { described_class.new(**options) }

  let(:secrets) { options.values.flat_map { |value| value.is_a?(Hash) ? value.values : value } }

  it "shows them in no inspect, string or JSON, not even their beginning" do
    shown = [provider.inspect, provider.to_s, provider.to_json, JSON.generate(provider), provider.as_json.to_s].join
    expect(secrets.map { |secret| secret[0, 7] }.select { |start| shown.include?(start) }).to be_empty
  end

  it "lets neither Marshal nor YAML write them" do
    expect { Marshal.dump(provider) }.to raise_error(TypeError, /holds a key/)
    expect { YAML.dump(provider) }.to raise_error(TypeError, /holds a key/)
  end
end

#   it_behaves_like "a provider that demands a key", "OPENAI_API_KEY"
RSpec.shared_examples "a provider that demands a key" do |*variables|
  missing = /set #{variables.join(" or ")}, or give api_key:/

  it "names it where it is missing" do
    expect { request(described_class.new) }.to raise_error(RAAF::Errors::ConfigurationError, missing)
  end

  it "counts an empty one as missing" do
    with_env(variables.to_h { |name| [name, ""] }) do
      expect { request(described_class.new) }.to raise_error(RAAF::Errors::ConfigurationError, missing)
    end
  end
end

#   it_behaves_like "a provider that refuses line breaks", "OPENAI_API_KEY"
RSpec.shared_examples "a provider that refuses line breaks" do |*variables|
  ["\r", "\n", "\0"].each do |character|
    it "takes no #{character.inspect} in a key, a header and a setting's header" do
      expect { described_class.new(api_key: "sk#{character}") }.to raise_error(ArgumentError, /\A(?!.*sk)/)
      expect { described_class.new(headers: {"X" => "a#{character}b"}) }.to raise_error(ArgumentError)
      expect { described_class.new(headers: {"X#{character}" => "a"}) }.to raise_error(ArgumentError)
      expect { request(described_class.new(api_key: "k"), settings: {extra_headers: {"X" => character}}) }
        .to raise_error(ArgumentError)
    end
  end

  it "takes none in the environment's key, and names the variable" do
    with_env(variables.last => "sk-test\n") do
      expect { request(described_class.new) }
        .to raise_error(ArgumentError, /\A#{variables.join(" or ")} holds a line break/)
    end
  end
end
