# frozen_string_literal: true

require "json"
require "securerandom"
require_relative "../../models/provider"

module RAAF
  module Streaming
    class CoreBridge < Models::Provider
      # Writes what a provider yields as OpenAI's events, one answer.
      #
      # Understood are, with Symbols or Strings as keys:
      #
      # * raaf-core's `{type: "content", content:, accumulated_content:}`, `{type: "tool_call", tool_call:}`,
      #   `{type: "tool_calls", tool_calls:}`, `{type: "finish", finish_reason:, usage:}`, `{type: "done"}`,
      # * `{type: "reasoning", content:}`, `{type: "error", error:}`,
      # * OpenAI's own chunks, which its CohereProvider yields,
      # * a String, as a piece of text.
      #
      # Anything else is left out.
      # Source: raaf-ai/raaf, core/lib/raaf/models and providers/lib/raaf.
      #
      # @api private
      class Events
        # The names that raaf-core's usage has for OpenAI's.
        USAGE_NAMES = {"input_tokens" => "prompt_tokens", "output_tokens" => "completion_tokens"}.freeze

        private_constant :USAGE_NAMES

        def initialize
          @characters = 0
          @call_ids = []
          @finished = false
          @usage = false
        end

        # @param piece [Object] what was yielded
        # @return [String] events; "" where it says nothing
        # @raise [Errors::ProviderError] for an error that was yielded, or an answer that begins anew
        def of(piece)
          return text(piece) if piece.is_a?(String)
          return "" unless piece.respond_to?(:to_h)

          hash = strings(piece.to_h)
          hash.key?("choices") ? chunk(hash) : typed(hash)
        end

        # @param returned [Object] what `stream_completion` returned: the answer, where none was yielded
        # @return [String] events
        # @raise [Errors::TruncatedStreamError] where there was neither a word nor an end
        def ending(returned)
          rest = silent? ? whole(returned) : ""
          raise Errors::TruncatedStreamError, "the provider said nothing" if rest.empty? && silent? && !@finished

          rest += choice({}, finish_reason: @call_ids.empty? ? "stop" : "tool_calls") unless @finished
          "#{rest}data: [DONE]\n\n"
        end

        private

        def typed(hash)
          case hash["type"].to_s
          when "content" then content(hash)
          when "reasoning", "thinking" then choice({reasoning_content: clean(hash["content"])})
          when "tool_call" then tool_calls([hash["tool_call"]])
          when "tool_calls" then tool_calls(hash["tool_calls"])
          when "finish" then finish(hash)
          when "done" then silent? ? whole(hash) : ""
          when "error" then raise Errors::ProviderError, (hash["error"] || hash["message"]).to_s
          else ""
          end
        end

        def silent?
          @characters.zero? && @call_ids.empty?
        end

        def content(hash)
          piece = clean(hash["content"])
          total = hash["accumulated_content"]
          # A provider that tries again by itself says everything once more.
          if total.is_a?(String) && total.length < @characters + piece.length
            raise Errors::TruncatedStreamError, "the provider began its answer anew after #{@characters} characters"
          end

          text(piece)
        end

        def text(piece)
          piece = clean(piece)
          return "" if piece.empty?

          @characters += piece.length
          choice({content: piece})
        end

        # Net::HTTP's bytes have no encoding.
        def clean(piece)
          text = piece.to_s
          (text.encoding == Encoding::UTF_8) ? text.scrub : text.dup.force_encoding(Encoding::UTF_8).scrub
        end

        def tool_calls(calls)
          calls.to_a.compact.map { |call| tool_call(strings(call.to_h)) }.join
        end

        def tool_call(call)
          function = strings((call["function"] || call).to_h)
          before = @call_ids.size
          index = index_of(call["index"], call["id"], function["name"])
          id = call["id"]
          id = "call_#{SecureRandom.alphanumeric(24)}" if id.to_s.empty? && index == before # the answer must name it
          choice({tool_calls: [{index: index, id: id, type: "function",
                                function: {name: function["name"], arguments: json(function["arguments"])}.compact}]})
        end

        def json(arguments)
          (arguments.nil? || arguments.is_a?(String)) ? arguments : JSON.generate(arguments)
        end

        # Where no index is given, an id or a name begins another call, and what has neither goes on with the last.
        def index_of(index, id, name)
          key = index || (id unless id.to_s.empty?)
          key ||= Object.new unless name.to_s.empty?
          return [@call_ids.size - 1, 0].max if key.nil?

          @call_ids << key unless @call_ids.include?(key)
          @call_ids.index(key).to_i
        end

        def finish(hash)
          @finished = true
          reason = hash["finish_reason"] || (@call_ids.empty? ? "stop" : "tool_calls")
          choice({}, finish_reason: reason.to_s) + usage(hash["usage"])
        end

        def usage(given)
          return "" if @usage || !given.is_a?(Hash) || given.empty?

          @usage = true
          event({choices: [], usage: strings(given).transform_keys { |name| USAGE_NAMES.fetch(name, name) }})
        end

        # One of OpenAI's own chunks.
        def chunk(hash)
          choice = strings(hash["choices"].to_a.first.to_h)
          delta = strings(choice["delta"].to_h)
          written = text(delta["content"]) + tool_calls(delta["tool_calls"])
          written += finish(choice) if choice["finish_reason"]
          written + usage(hash["usage"])
        end

        # A whole answer: raaf-core's `{content:, tool_calls:, usage:}`, or OpenAI's completion.
        def whole(answer)
          return text(answer) if answer.is_a?(String)
          return "" unless answer.is_a?(Hash)

          hash = strings(answer)
          message = strings(strings(hash["choices"].to_a.first.to_h)["message"] || hash)
          text(message["content"]) + tool_calls(message["tool_calls"]) + usage(hash["usage"])
        end

        def choice(delta, finish_reason: nil)
          event({choices: [{index: 0, delta: delta, finish_reason: finish_reason}]})
        end

        def event(hash)
          "data: #{JSON.generate(hash)}\n\n"
        end

        def strings(hash)
          hash.transform_keys(&:to_s)
        end
      end
    end
  end
end
