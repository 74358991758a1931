# frozen_string_literal: true

require "logger"
require_relative "configuration"

module RAAF
  # Streams answers from AI models. See {Streaming::AsyncRunner} for how to run one.
  module Streaming
    # One configuration a process. It is a frozen value that is replaced, never changed, so streams read it without a
    # lock; the mutex only orders writers, and is never held while a caller's block runs.
    @configuration = Configuration.new.freeze
    @configuration_lock = Mutex.new
    @logger = nil

    class << self
      # @return [Configuration] the current one, frozen; a running stream keeps the one it started with
      attr_reader :configuration

      # Changes settings. They are checked together when the block is through; if one is wrong, or the block raises,
      # nothing changes.
      #
      # @yieldparam config [Configuration] a draft to set values on
      # @return [Configuration] the new one, frozen
      # @raise [Errors::ConfigurationError] names every setting that is unknown or has a wrong value
      # @example
      #   RAAF::Streaming.configure { |config| config.stream_timeout = 300 } # seconds
      def configure
        base = configuration
        draft = base.dup
        yield draft
        draft.validate!
        # Only what the block changed is taken over, so that of two threads neither undoes the other's settings.
        changes = draft.changes_from(base)
        @configuration_lock.synchronize { @configuration = @configuration.with(**changes) }
      end

      # Goes back to the defaults, as tests want it.
      #
      # @return [Configuration] the new one, frozen
      def reset_configuration!
        @configuration_lock.synchronize { @configuration = Configuration.new.freeze }
      end

      # @return [#debug, #info, #warn, #error] the one that was set, else Rails' logger, else one that writes warnings
      #   to standard error
      def logger
        @logger || rails_logger || default_logger
      end

      # Sets where to log; nil: back to the default.
      #
      # @return [#debug, #info, #warn, #error, nil]
      attr_writer :logger

      private

      def rails_logger
        ::Rails.logger if defined?(::Rails) && ::Rails.respond_to?(:logger)
      end

      def default_logger
        @default_logger ||= ::Logger.new($stderr, level: :warn, progname: "raaf-streaming")
      end
    end
  end
end
