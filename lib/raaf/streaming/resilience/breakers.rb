# frozen_string_literal: true

require "uri"
require_relative "../circuit_breaker"

module RAAF
  module Streaming
    module Resilience
      # The circuit breakers of a process: one for each provider, address and model that is asked, with the settings
      # that it was asked for with.
      #
      # @api private
      class Breakers
        # Breakers that are kept. Of more the one that was not asked for the longest time is forgotten.
        MOST = 1000

        # What stands before a provider that has no breaker.
        module None
          module_function

          # @return [nil] no permit is needed
          def acquire(_request, _provider)
            nil
          end
        end

        # A breaker for everybody who is asked.
        One = Struct.new(:breaker) do
          # @implements One

          # @return [Object] a permit
          def acquire(_request, _provider)
            breaker.acquire
          end
        end

        # Makes breakers, or finds them, by what is asked.
        Each = Struct.new(:factory) do
          # @implements Each

          # @return [Object, nil] a permit; nil: the factory knows no breaker for it
          def acquire(request, _provider)
            factory.call(request[:provider], request[:model])&.acquire
          end
        end
        private_constant :One, :Each

        @lock = Mutex.new
        @known = {} # least recently asked first

        class << self
          # @param given [Hash, Boolean, nil, #acquire, #call] settings of {CircuitBreaker}; false: none; a breaker; or
          #   what gives one for a provider's name and a model
          # @return [#acquire]
          # @raise [ArgumentError] for anything else, and for settings that are wrong
          def for(given)
            case given
            when false then None
            when nil, true then new({})
            when Hash then new(given.transform_keys(&:to_sym))
            else own(given)
            end
          end

          # @param key [Array] what is asked, and the settings
          # @yieldreturn [CircuitBreaker] a new one
          # @return [CircuitBreaker]
          def fetch(key)
            @lock.synchronize do
              breaker = @known.delete(key) || yield
              @known.shift if @known.size >= MOST
              @known[key] = breaker
            end
          end

          # @return [Array<CircuitBreaker>] those of this process, the one that was asked last at the end
          def all
            @lock.synchronize { @known.values }
          end

          # Forgets them, and with them what has failed.
          #
          # @return [void]
          def clear
            @lock.synchronize { @known.clear }
          end

          private

          def own(given)
            return One.new(given) if given.respond_to?(:acquire)
            return Each.new(given) if given.respond_to?(:call)

            raise ArgumentError, "circuit_breaker must be settings, false, something with acquire, or something that " \
                                 "gives one of these, not #{given.class}"
          end
        end

        # @param settings [Hash{Symbol=>Object}] of {CircuitBreaker#initialize}
        # @raise [ArgumentError] for wrong ones
        def initialize(settings)
          @settings = settings
          CircuitBreaker.new(name: "any", **settings) # says at once what is wrong with them
        end

        # @param request [Hash{Symbol=>Object}] as from build_request
        # @param provider [Object] what wrote it
        # @return [CircuitBreaker::Permit]
        # @raise [Errors::CircuitOpenError]
        def acquire(request, provider)
          name, model = request.values_at(:provider, :model)
          place = place(request, provider)
          key = [name, place, model, @settings]
          Breakers.fetch(key) { CircuitBreaker.new(name: name_for(name, model, place), **@settings) }.acquire
        end

        private

        # In a store the name is all that tells breakers apart.
        def name_for(name, model, place)
          @settings[:store] ? "#{name}/#{model} at #{place}" : "#{name}/#{model}"
        end

        # A mock has no address: what one has failed with shall not stand in another's way.
        def place(request, provider)
          url = request[:url] or return provider.object_id
          uri = URI(url)
          "#{uri.scheme}://#{uri.host}:#{uri.port}"
        end
      end
    end
  end
end
