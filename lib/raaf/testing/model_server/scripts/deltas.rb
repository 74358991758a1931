# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      module Scripts
        # An answer in the format that the request's path stands for, one event a delta.
        class Deltas < Script
          # The options that say what is answered; a status alone is {Body}.
          CONTENT = %i[deltas reasoning refusal tool_calls usage finish_reason done role error].freeze

          # @api private
          def initialize(deltas: [], reasoning: [], reasoning_field: :reasoning_content, refusal: nil, tool_calls: [],
            usage: nil, finish_reason: :auto, error: nil, done: true, role: true, **options)
            super(**options)
            @deltas = deltas
            @reasoning = Array(reasoning)
            @reasoning_field = reasoning_field
            @refusal = Array(refusal)
            @tool_calls = tool_calls
            @usage = usage
            @finish_reason = (finish_reason == :auto) ? default_finish_reason : finish_reason
            @error = error
            @done = done
            @role = role
          end

          private

          def fault_unit
            :events
          end

          def default_finish_reason
            @tool_calls.empty? ? "stop" : "tool_calls"
          end

          def answer(request)
            return super unless request.json.is_a?(Hash) && request.json[:stream] == false

            body = JSON.generate(completion(request))
            [@status, @headers.merge("content-type" => "application/json"), :length, [[@first_delay, body]]]
          end

          # Events are written while they are sent, so `deltas:` may be endless.
          def events(request)
            wire = wire_for(request)
            Enumerator.new do |sent|
              delay = @first_delay
              each_event(wire, request) do |event|
                next if event.empty? # the format has no such event

                sent.yield(delay, event)
                delay = @delay
              end
            end
          end

          def wire_for(request)
            Wires.for(request)
          end

          def each_event(wire, request, &block)
            yield wire.role if @role
            @reasoning.each { |text| yield wire.reasoning(text, field: @reasoning_field) }
            @deltas.each { |delta| yield delta.is_a?(Hash) ? wire.delta(delta) : wire.content(delta) }
            @refusal.each { |text| yield wire.refusal(text) }
            indexed_tool_calls.each { |call| wire.tool_call(**call).each(&block) }
            each_closing_event(wire, request, &block)
          end

          def each_closing_event(wire, request)
            return yield wire.error(**error_fields) if @error

            yield wire.finish(@finish_reason) if @finish_reason
            yield wire.usage(usage_for(request)) if @usage
            yield wire.done if @done
          end

          def error_fields
            @error.is_a?(Hash) ? @error : {message: @error}
          end

          # A call without an index gets its place; false leaves it out.
          def indexed_tool_calls
            @tool_calls.each_with_index.map do |call, place|
              call.merge(index: call[:index].nil? ? place : call[:index])
            end
          end

          def usage_for(request)
            return @usage unless @usage == true

            # About four characters a token, as OpenAI's own rule of thumb has it.
            {prompt_tokens: (request.body.bytesize / 4.0).ceil, completion_tokens: [@deltas.count, 1].max}
          end

          def completion(request)
            wire_for(request).completion(
              content: text_or_nil(@deltas.grep(String)), reasoning: text_or_nil(@reasoning),
              refusal: text_or_nil(@refusal), tool_calls: @tool_calls, finish_reason: @finish_reason || "stop",
              usage: @usage && usage_for(request)
            )
          end

          def text_or_nil(parts)
            parts.empty? ? nil : parts.join
          end
        end
      end
    end
  end
end
