# frozen_string_literal: true

require "set"
require_relative "../models/provider"
require_relative "config_api"
require_relative "core_bridge/call"
require_relative "core_bridge/server"

module RAAF
  module Streaming
    # Streams with a provider that can only be asked by `stream_completion(messages:, model:, tools: nil) { |hash| }`:
    # one of raaf-core's that speaks a dialect of its own (Cohere), or an application's.
    #
    # Its Hashes are written as OpenAI's chat completions to a server on this machine that lives for one answer, so that
    # the native part reads them as it reads any other: handles, callbacks, limits and cancelling are the same. What
    # another provider costs besides: two Ruby threads and a connection a stream, and every piece passes Ruby.
    #
    # @api private
    class CoreBridge < Models::Provider
      # What `stream_completion` is called with in any case.
      GIVEN = %i[messages model tools].freeze

      TOLD = Set.new
      TOLD_LOCK = Mutex.new

      private_constant :GIVEN, :TOLD, :TOLD_LOCK

      # @return [String] the provider's own name
      attr_reader :name

      # @param provider [#stream_completion]
      # @param name [String] for messages and metrics
      def initialize(provider, name:)
        super()
        @provider = provider
        @name = name
      end

      # @return [Symbol] :openai_chat
      def dialect
        :openai_chat
      end

      # Opens the server; the provider is called when the request has come. See {Server} for how long it waits.
      #
      # (see Models::Provider#build_request)
      # @return [Hash{Symbol=>Object}] as every provider's, and :proxy (false: never through one) and :failure
      #   (callable: what the provider's code raised, or nil)
      def build_request(messages:, model:, settings: {}, tools: [])
        call = Call.new(@provider, name: name, secrets: secrets, model: model.to_s,
          messages: messages.map { |message| message.except(:parts) }, # another provider's
          **(tools.empty? ? {} : {tools: tools}), **taken(settings))
        server = Server.new(name) { |response| call.answer(response) }
        {url: server.url, headers: {"Content-Type" => "application/json", "Accept" => "text/event-stream"}, body: "{}",
         dialect: dialect, provider: name, model: model.to_s, secrets: secrets + [server.token], proxy: false,
         failure: call.method(:failure)}
      end

      private

      # raaf-core's own signature has no settings; a provider's may.
      def taken(settings)
        parameters = @provider.method(:stream_completion).parameters
        any = parameters.any? { |type, _| type == :keyrest }
        known = parameters.filter_map { |type, name| name if %i[key keyreq].include?(type) } - GIVEN
        sent, lost = settings.compact.partition { |name, _| any || known.include?(name) }
        tell_of(lost.map(&:first))
        sent.to_h
      end

      # Once in a process for each class and setting.
      def tell_of(lost)
        unsaid = lost.select { |name| TOLD_LOCK.synchronize { TOLD.add?([@provider.class.name, name]) } }
        return if unsaid.empty?

        Streaming.logger.warn("#{@provider.class}#stream_completion takes no #{unsaid.join(", ")}: not sent")
      end

      def secrets
        [@provider.instance_variable_get(:@api_key)].compact.map(&:to_s)
      end
    end
  end
end
