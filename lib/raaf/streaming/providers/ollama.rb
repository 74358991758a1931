# frozen_string_literal: true

require_relative "../../models/http_provider"
require_relative "ollama_messages"

module RAAF
  module Streaming
    module Providers
      # Asks Ollama's own API, of a server on this machine, elsewhere, or at ollama.com. (Its chat completions are
      # {OpenAIChat}'s, with `base_url: "http://localhost:11434/v1"`.)
      #
      # No key is needed; OLLAMA_API_KEY is sent where it is set. The address is read from OLLAMA_HOST, in all forms
      # that Ollama takes: "host", "host:port", ":port", a URL. Source: ollama, envconfig/config.go.
      #
      # A model's name may have the prefix "ollama/", by which {Models.for_model} finds this provider; it is not sent.
      #
      # Left out, because the API has no field for it: `parallel_tool_calls` and `user`. A `tool_choice` that demands a
      # call is refused, since the API cannot. `reasoning_effort` becomes `think`. What only Ollama knows is given by
      # extra_body, such as `{keep_alive: "10m", options: {num_ctx: 8192}}`; its options are added to those from the
      # settings.
      #
      # @example
      #   RAAF::Models::OllamaProvider.new                                  # OLLAMA_HOST, else this machine
      #   RAAF::Models::OllamaProvider.new(base_url: "https://ollama.com", api_key: key)
      # @see https://github.com/ollama/ollama/blob/main/docs/api.md the fields
      class Ollama < Models::HTTPProvider
        # In messages and metrics.
        NAME = "ollama"
        # Where Ollama answers. Source: Ollama's API reference.
        DEFAULT_BASE_URL = "http://127.0.0.1:11434"
        # Where a key may stand in the environment.
        KEY_VARIABLES = %w[OLLAMA_API_KEY].freeze
        # What it can; see {Models::HTTPProvider::CAPABILITIES}.
        CAPABILITIES = %i[text reasoning tools images structured_output].freeze
        # Where the address may stand in the environment.
        BASE_URL_VARIABLES = %w[OLLAMA_HOST].freeze
        # Fields of the body that extra_body adds to instead of replacing them.
        MERGED_FIELDS = %i[options].freeze

        # What may stand before a model's name.
        PREFIX = "ollama/"

        # The port of a server whose address names none.
        DEFAULT_PORT = 11_434
        # Where a server listens, and where it is reached then.
        LOOPBACK = {"" => "127.0.0.1", "0.0.0.0" => "127.0.0.1", "::" => "::1"}.freeze

        # Settings, and their names among the `options`. Source: ollama, api/types.go, Options.
        OPTIONS = {temperature: :temperature, top_p: :top_p, max_tokens: :num_predict, seed: :seed,
                   frequency_penalty: :frequency_penalty, presence_penalty: :presence_penalty}.freeze

        # OpenAI's efforts, and what `think` takes; any other word is sent as it is.
        # Source: ollama, docs/capabilities/thinking.mdx.
        THINK = {"none" => false, "minimal" => "low", "xhigh" => "max"}.freeze

        private_constant :PREFIX, :DEFAULT_PORT, :LOOPBACK, :OPTIONS, :THINK

        # @return [Symbol] :ollama
        def dialect
          :ollama
        end

        # (see Models::HTTPProvider#base_url)
        def base_url
          host = first_from_environment(BASE_URL_VARIABLES) unless @base_url
          host ? check_base_url(address_of(host)) : super
        end

        private

        # What other APIs of the same server end with is no part of the address.
        def request_url(_model)
          join_url(base_url.sub(%r{/(?:api|v1)\z}, ""), "/api/chat")
        end

        def address_of(host)
          host = host.strip
          return "https://#{host}" if host == "ollama.com"

          scheme = host[%r{\A(https?)://}, 1]
          place, path = host.delete_prefix("#{scheme}://").split("/", 2)
          port = place.to_s[/\A(?:\[[^\]]*\]|[^:\[\]]*):(\d+)\z/, 1]
          name = (port ? place.to_s.delete_suffix(":#{port}") : place.to_s).delete("[]")
          name = LOOPBACK.fetch(name, name)
          name = "[#{name}]" if name.include?(":")
          port ||= DEFAULT_PORT.to_s unless scheme
          "#{scheme || "http"}://#{[name, port].compact.join(":")}#{"/#{path}" if path}".chomp("/")
        end

        def own_headers
          {"Accept" => "application/x-ndjson"}
        end

        def missing_key
          nil
        end

        def request_body(messages, model, settings, tools)
          name = model.delete_prefix(PREFIX)
          {model: name, messages: OllamaMessages.new(messages, provider: self.name, model: name).to_a, stream: true,
           tools: tools_for(settings[:tool_choice], tools, name), format: format_of(settings[:response_format]),
           think: think(settings[:reasoning_effort]), options: options(settings)}
        end

        def fixed_fields
          {stream: true}
        end

        # @param choice [String, Hash, nil] OpenAI's `tool_choice`, or a tool's name
        def tools_for(choice, tools, model)
          return if tools.empty? || choice.to_s == "none"
          return tools if choice.nil? || choice.to_s == "auto"

          raise Errors::InvalidRequestError.new("#{name} (#{model}): Ollama cannot be told to call a tool, so " \
                                                "tool_choice must be auto or none, not #{choice.inspect}",
            provider: name, model: model)
        end

        # @param format [Hash, nil] OpenAI's `response_format`
        def format_of(format)
          format = Hash(format).transform_keys(&:to_sym)
          case format[:type].to_s
          when "json_object" then "json"
          when "json_schema" then Hash(format[:json_schema]).transform_keys(&:to_sym)[:schema] || "json"
          end
        end

        def think(effort)
          THINK.fetch(effort.to_s, effort)
        end

        def options(settings)
          options = OPTIONS.to_h { |setting, field| [field, settings[setting]] }
          options[:stop] = Array(settings[:stop]) if settings[:stop]
          options.compact.then { |fields| fields unless fields.empty? }
        end
      end
    end
  end
end
