# frozen_string_literal: true

require "securerandom"
require_relative "origin"

module RAAF
  module Streaming
    # What all chunks of a stream have in common: which stream it is, whose, and who answers.
    class RunContext
      # @return [String] the same for the life of the stream, a random UUID (version 4) unless one was given
      attr_reader :stream_id
      # @return [Integer] which one this is of a job that may be run again, from 1
      attr_reader :attempt
      # @return [String, nil] the application's session
      attr_reader :session_id
      # @return [Object, nil] the application's user id
      attr_reader :user_id
      # @return [String, nil] the provider's name
      attr_reader :provider
      # @return [String, nil] the model that was asked
      attr_reader :model

      # @return [Origin, nil] what it was begun for, where somebody has said so
      attr_reader :origin

      # @param stream_id [String, nil] nil: the origin's next one, or a random one
      # @param session_id [String, nil]
      # @param user_id [Object, nil]
      # @param provider [String, nil]
      # @param model [String, nil]
      # @param attempt [Integer, nil] nil: the origin's, or 1
      # @param origin [Origin, nil]
      def initialize(stream_id: nil, session_id: nil, user_id: nil, provider: nil, model: nil, attempt: nil,
        origin: nil)
        # At once: a signal handler that asks for it could not take a lock.
        @stream_id = stream_id || origin&.take_id || SecureRandom.uuid
        @attempt = attempt || origin&.attempt || 1
        @origin = origin
        @session_id = session_id
        @user_id = user_id
        @provider = provider
        @model = model
      end

      # @return [Hash{Symbol=>Object}] everything that is known
      def to_h
        {stream_id: stream_id, session_id: session_id, user_id: user_id, provider: provider, model: model}.compact
      end

      # @return [Hash{Symbol=>Object}] what a chunk that is made in Ruby has of it
      # @api private
      def chunk_attributes
        {stream_id: stream_id, session_id: session_id, user_id: user_id}.compact
      end

      # @return [String]
      def inspect
        "#<#{self.class.name} #{to_h.map { |name, value| "#{name}=#{value.inspect}" }.join(" ")}>"
      end
    end
  end
end
