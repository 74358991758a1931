# frozen_string_literal: true

require "json"
require "uri"
require_relative "../errors"
require_relative "../streaming/secrets"
require_relative "../streaming/version"

module RAAF
  # The providers of models, and which one a model's name stands for.
  module Models
    # A provider says how to ask: it turns a conversation into one HTTP request. It opens no connection; that is the
    # native part's work.
    #
    # A subclass defines {#name}, {#dialect} and {#build_request}. No key is ever in `inspect`, JSON, YAML or Marshal.
    #
    # @abstract
    class Provider
      # @return [String] in messages and metrics, such as "openai"
      def name
        raise NotImplementedError, "#{self.class} must define name"
      end

      # @return [Symbol] how the answer is written; the native part reads :openai_chat
      def dialect
        raise NotImplementedError, "#{self.class} must define dialect"
      end

      # @param messages [Array<Hash>] the conversation, the system message first where there is one
      # @param model [String]
      # @param settings [Hash{Symbol=>Object}] see {Streaming::AgentMethods::SETTINGS}
      # @param tools [Array<Hash>] as OpenAI writes them
      # @return [Hash{Symbol=>Object}] :url, :headers (name => value), :body (JSON), :dialect, :provider, :model,
      #   :secrets (what to cut out of messages) and :reasoning_field (a Symbol where the next turn has to send the
      #   reasoning back: the key of its part)
      # @raise [Errors::ConfigurationError] where the provider is not set up
      def build_request(messages:, model:, settings: {}, tools: [])
        raise NotImplementedError, "#{self.class} must define build_request"
      end

      # Whether a conversation may end with the beginning of an answer, which the model then goes on with. Where it may
      # not, a {Streaming::ResilientRunner} that continues an interrupted answer asks for the rest in words.
      #
      # @param _model [String]
      # @param _settings [Hash{Symbol=>Object}] see {#build_request}
      # @return [Boolean] false, unless a subclass knows better
      def writes_on?(_model, _settings = {})
        false
      end

      # @return [String] the name and the address, never a key
      def inspect
        "#<#{self.class.name} #{name}>"
      end
      alias_method :to_s, :inspect

      # @return [Hash{String=>Object}] the name, never a key
      def as_json(*)
        {"name" => name}
      end

      # @return [String] JSON of {#as_json}
      def to_json(*)
        JSON.generate(as_json)
      end

      # @raise [TypeError] always: it would write the key
      def marshal_dump
        raise TypeError, "#{self.class} holds a key and cannot be written by Marshal"
      end

      # @raise [TypeError] always: it would write the key
      def encode_with(_coder)
        raise TypeError, "#{self.class} holds a key and cannot be written as YAML"
      end

      private

      # @return [String] the address without a slash at its end
      # @raise [Errors::ConfigurationError] for anything but an http or https URL without user, password and fragment
      def check_base_url(url)
        uri = URI.parse(url.to_s.strip)
        valid = uri.is_a?(URI::HTTP) && !uri.host.to_s.empty? && uri.userinfo.nil? && uri.fragment.nil?
        raise invalid_base_url(url) unless valid

        uri.to_s
      rescue URI::InvalidURIError
        raise invalid_base_url(url)
      end

      def invalid_base_url(url)
        Errors::ConfigurationError.new("base_url must be an http or https URL without user and fragment, such as " \
                                       "https://api.openai.com/v1, not #{url.inspect}", provider: name)
      end

      # Appends to the path and leaves a query where it is.
      def join_url(base, path)
        uri = URI.parse(base)
        before = uri.path.to_s.chomp("/")
        uri.path = before.end_with?(path) ? before : before + path
        uri.to_s
      end

      def user_agent
        "raaf-streaming/#{Streaming::VERSION}"
      end

      def from_environment(name)
        value = ENV[name].to_s
        value unless value.empty?
      end
    end
  end
end
