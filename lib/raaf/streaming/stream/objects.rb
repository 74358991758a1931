# frozen_string_literal: true

require_relative "../native"

module RAAF
  module Streaming
    class Stream
      # An answer in JSON (a `response_format` with a schema, say) as one object that grows.
      #
      # After a redirect, a reset, a tool's result or a handoff the model begins a new answer, and another object
      # begins.
      class Objects
        include Enumerable

        # @param stream [Stream]
        def initialize(stream)
          @stream = stream
        end

        # Yields the object after each piece of text that changed it: the same Hash each time, which the next piece
        # changes again. Whoever wants to keep one copies it. See {PartialJSON#value} for what is in it when.
        #
        # Text that is no JSON is noticed at once and told at the end, since the answer itself is whole
        # ({Stream#result} has it).
        #
        # @yieldparam object [Hash{Symbol=>Object}, Array, String, Numeric, Boolean, nil] an Array or other value
        #   where the model wrote one
        # @return [self, Enumerator]
        # @raise (see Stream#each)
        # @raise [Errors::ProtocolError] at the end of an answer that is not whole JSON
        def each
          return enum_for(:each) unless block_given?

          json = PartialJSON.new
          whole = false # not where the chunks had been taken before
          @stream.each do |chunk|
            json = PartialJSON.new if begins_anew?(chunk)
            yield json.value if chunk.content? && chunk.choice.zero? && json.feed(chunk.delta).changed?
            whole = chunk.complete?
          end
          finish(json) if whole
          self
        end

        # Waits for the whole answer. Takes the chunks if nobody else does.
        #
        # @return [Hash{Symbol=>Object}, Array, String, Numeric, Boolean, nil] what the JSON of the last message says
        # @raise [Errors::ProtocolError] where it is not whole JSON
        # @raise [Errors::Error] where the run fails
        def value
          finish(PartialJSON.new.feed(@stream.result.messages.last[:content].to_s))
        end

        # As {#value}, for an answer that is to be an object.
        #
        # @return [Hash{Symbol=>Object}]
        # @raise (see #value)
        # @raise [Errors::ProtocolError] where it is another value
        def to_h
          whole = value
          return whole if whole.is_a?(Hash)

          raise error("it is JSON, but no object")
        end

        private

        def begins_anew?(chunk)
          case chunk.type
          when :status then %i[redirected reset].include?(chunk.status)
          when :tool_result, :handoff then true
          else false
          end
        end

        def finish(json)
          json.finish
        rescue Errors::ProtocolError => e
          raise error(e.message)
        end

        def error(why)
          result = @stream.result
          ending = result.refusal ? "the model refused" : "finish reason #{result.finish_reason.inspect}"
          Errors::ProtocolError.new("the answer is not the JSON it should be (#{ending}): #{why}",
            provider: result.provider, model: result.model, request_id: result.request_id,
            partial_text: result.final_output)
        end
      end
    end
  end
end
