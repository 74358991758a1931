# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      module Scripts
        # What the server says when nothing was scripted: a {DemoAnswer} at the pace of a model.
        class Demo < Deltas
          # Deltas a second, on average.
          PACE = 30.0
          # Seconds before the first delta.
          FIRST_DELAY = 0.25

          # Names of the limit of tokens, with one provider and another.
          LIMITS = %i[max_completion_tokens max_tokens max_output_tokens maxOutputTokens num_predict].freeze
          private_constant :LIMITS

          # @api private
          # @param tokens [Integer, nil] exactly so many deltas; nil: 60 to 120 words
          # @param delay [Numeric, nil] seconds between deltas; nil: about 1 / {PACE}, varying a little
          # @param first_delay [Numeric] seconds
          def initialize(tokens: nil, delay: nil, first_delay: FIRST_DELAY, **options)
            super(usage: true, first_delay: first_delay, delay: delay || 0, **options)
            @tokens = tokens
            @steady = !delay.nil?
          end

          # @param request [Request]
          # @return [Boolean] whether this is a conversation
          def answers?(request)
            Wires.conversation?(request)
          end

          # @param request [Request]
          # @param response [Response]
          # @return [void]
          def play(request, response)
            problem = problem_with(request)
            return refuse(request, response, *problem) if problem
            return super unless response.pacer? && plain?(request)

            status, headers, transfer, events = answer(request)
            response.start(status, headers, transfer: transfer)
            response.play_paced(events)
          end

          private

          def refuse(request, response, status, message)
            Body.new(status: status, body: ErrorBody.for(request, status, message)).play(request, response)
          end

          # Whether nothing but time is special about the answer, so that the pacer can write it.
          def plain?(request)
            !(@fault || @keep_open || @split || @transfer == :length || request.json[:stream] == false)
          end

          def problem_with(request)
            return [405, "Send the conversation with POST."] unless request.http_method == "POST"
            return [400, "The body is not a JSON object."] unless request.json.is_a?(Hash)

            messages = Prompt.messages(request)
            return if messages.any? && messages.all?(Hash)

            [400, "The parameter 'messages' must be a list of messages."]
          end

          def events(request)
            wire = wire_for(request)
            answer = DemoAnswer.new(prompt(request))
            pieces, reason = limited(answer.tokens(@tokens), request)
            closing = -> { [wire.finish(reason), wire.usage(usage_of(pieces, request)), wire.done] }
            random = answer.random
            DemoEvents.new(wire, pieces, closing, @first_delay) { pause(random) }
          end

          def pause(random)
            @steady ? @delay : (0.6 + (0.8 * random.rand)) / PACE
          end

          # @return [Array] the pieces that fit the request's limit, and the finish reason
          def limited(pieces, request)
            inner = request.json.values_at(:generationConfig, :options).grep(Hash).first || {}
            limit = {**inner, **request.json}.values_at(*LIMITS).compact.first
            return [pieces, "stop"] unless limit.is_a?(Integer) && limit.between?(0, pieces.size - 1)

            [pieces.first(limit), "length"]
          end

          def completion(request)
            pieces, reason = limited(DemoAnswer.new(prompt(request)).tokens(@tokens), request)
            wire_for(request).completion(content: pieces.join, finish_reason: reason, usage: usage_of(pieces, request))
          end

          def usage_of(pieces, request)
            {prompt_tokens: (request.body.bytesize / 4.0).ceil, completion_tokens: pieces.size}
          end

          def prompt(request)
            Prompt.of(request)
          end
        end
      end
    end
  end
end
