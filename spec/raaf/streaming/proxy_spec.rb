# frozen_string_literal: true

require "socket"

RSpec.describe RAAF::Streaming::Proxy do
  none = %w[http_proxy https_proxy HTTP_PROXY HTTPS_PROXY no_proxy NO_PROXY REQUEST_METHOD].to_h { |name| [name, nil] }

  def proxy(url, variables)
    with_env(variables) { described_class.from_environment(url) }
  end

  [
    ["https://api.example.com/v1", {"https_proxy" => "http://p:1"}, "http://p:1"],
    ["https://api.example.com/v1", {"HTTPS_PROXY" => "http://p:1"}, "http://p:1"],
    ["https://api.example.com/v1", {"https_proxy" => "http://low:1", "HTTPS_PROXY" => "http://up:1"}, "http://low:1"],
    ["https://api.example.com/v1", {"http_proxy" => "http://p:1"}, nil],
    ["http://api.example.com/v1", {"http_proxy" => "http://p:1"}, "http://p:1"],
    ["http://api.example.com/v1", {"HTTP_PROXY" => "http://p:1"}, "http://p:1"],
    ["http://api.example.com/v1", {"HTTP_PROXY" => "http://p:1", "REQUEST_METHOD" => "GET"}, nil],
    ["https://api.example.com/v1", {"https_proxy" => "http://p:1", "no_proxy" => "example.com"}, nil],
    ["https://api.example.com/v1", {"https_proxy" => "http://p:1", "NO_PROXY" => "other.com, .example.com"}, nil],
    ["https://api.example.com/v1", {"https_proxy" => "http://p:1", "no_proxy" => "*"}, nil],
    ["https://api.example.com/v1", {"https_proxy" => "http://p:1", "no_proxy" => "other.com"}, "http://p:1"],
    ["https://10.1.2.3/v1", {"https_proxy" => "http://p:1", "no_proxy" => "10.0.0.0/8"}, nil],
    ["https://11.1.2.3/v1", {"https_proxy" => "http://p:1", "no_proxy" => "10.0.0.0/8"}, "http://p:1"],
    ["https://api.example.com/v1", {"https_proxy" => "http://p:1", "no_proxy" => "10.0.0.0/8"}, "http://p:1"],
    ["http://localhost:11434/v1", {"http_proxy" => "http://p:1"}, nil],
    ["http://127.0.0.1:8080/v1", {"http_proxy" => "http://p:1"}, nil],
    ["http://[::1]:8080/v1", {"http_proxy" => "http://p:1"}, nil],
    ["https://api.example.com/v1", {"https_proxy" => ""}, nil]
  ].each do |url, variables, expected|
    it "is #{expected.inspect} for #{url} with #{variables}" do
      expect(proxy(url, none.merge(variables))).to eq(expected)
    end
  end

  it "looks no name up" do
    expect(IPSocket).not_to receive(:getaddress)
    proxy("https://api.example.com/v1", none.merge("https_proxy" => "http://p:1"))
  end

  ["socks5://p:1080", "p:1080", "not a url"].each do |value|
    it "refuses #{value.inspect}, naming the variable but not the value" do
      expect { proxy("https://api.example.com/v1", none.merge("https_proxy" => value)) }
        .to raise_error(RAAF::Errors::ConfigurationError, /https_proxy(?!.*#{Regexp.escape(value)})/)
    end
  end
end
