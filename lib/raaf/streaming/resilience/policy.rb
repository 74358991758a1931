# frozen_string_literal: true

require_relative "backup"
require_relative "breakers"

module RAAF
  module Streaming
    module Resilience
      # What a {ResilientRunner} does about failures: who else can be asked, how often, and what becomes of an answer
      # that had begun. A value; {Recovery} is what happens in one run.
      #
      # @api private
      class Policy
        # What may be done once something of an answer was delivered.
        AFTER_CONTENT = %i[error continue reset].freeze

        # @return [Array<Backup>]
        attr_reader :backups
        # @return [#acquire]
        attr_reader :breakers
        # @return [Symbol] one of {AFTER_CONTENT}
        attr_reader :after_content
        # @return [Integer]
        attr_reader :max_retries
        # @return [Numeric] seconds
        attr_reader :retry_delay

        # Takes what {ResilientRunner#initialize} takes.
        #
        # @raise [ArgumentError, Errors::ConfigurationError] for wrong values
        def initialize(backup_providers: nil, backup_models: {}, after_content: :error, circuit_breaker: {},
          max_retries: 3, retry_delay: 1)
          unless AFTER_CONTENT.include?(after_content)
            raise ArgumentError, "after_content must be one of #{AFTER_CONTENT.inspect}, not #{after_content.inspect}"
          end

          @given = {backup_providers: backup_providers, backup_models: backup_models, after_content: after_content,
                    circuit_breaker: circuit_breaker, max_retries: max_retries, retry_delay: retry_delay}
          checked = Configuration.new(max_retries: max_retries, retry_delay: retry_delay)
          @max_retries = checked.max_retries
          @retry_delay = checked.retry_delay
          @after_content = after_content
          @backups = Backup.list(backup_providers, backup_models)
          @breakers = Breakers.for(circuit_breaker)
        end

        # @return [Array<Symbol>] the names of what {#initialize} takes
        def self.options
          instance_method(:initialize).parameters.map(&:last)
        end

        # @param changes [Hash{Symbol=>Object}] see {#initialize}
        # @return [Policy]
        def with(**changes)
          changes.empty? ? self : self.class.new(**@given, **changes)
        end

        # @return [Boolean] whether nobody has said who the backups are
        def backups_by_default?
          @given[:backup_providers].nil?
        end

        # @param number [Integer] of the retry, from 1
        # @param longest [Numeric] seconds: the setting max_retry_delay
        # @return [Numeric] seconds before it: retry_delay, doubled with each retry, up to the longest
        def delay(number, longest)
          (retry_delay * (2**(number - 1))).clamp(retry_delay, [longest, retry_delay].max)
        end
      end
    end
  end
end
