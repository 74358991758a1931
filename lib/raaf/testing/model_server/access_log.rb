# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # A line a request, once its answer is over: time, model, how the prompt begins, number of writes,
      # seconds between the first and the last. Never a header, so never a key.
      class AccessLog
        # Characters of the prompt that are shown.
        PROMPT_LENGTH = 40

        # @param out [#puts, nil] nil: no log
        def initialize(out)
          @out = out
        end

        # @param request [Request]
        # @return [void]
        def request(request)
          say { line(request) }
        end

        # @param request [Request]
        # @param error [Exception] raised by a block script
        # @return [void]
        def error(request, error)
          say { "#{stamp} #{request.http_method} #{request.route} script failed: #{error.class}: #{error.message}" }
        end

        # @param text [String]
        # @return [void]
        def warning(text)
          say { "#{stamp} #{text}" }
        end

        private

        # A log that cannot be written (a closed pipe) must not cost a stream.
        def say
          @out&.puts(yield)
        rescue IOError, SystemCallError
          @out = nil
        end

        def line(request)
          writes = request.writes
          spread = writes.empty? ? 0 : writes.last[:at] - writes.first[:at]
          ending = request.finished? ? "" : " (not finished)"
          format("%s %s %s %p %d writes in %.2f s%s", stamp, request.http_method, subject(request), prompt(request),
            writes.size, spread, ending)
        end

        def subject(request)
          model = request.json.is_a?(Hash) ? request.json[:model] : nil
          model.is_a?(String) ? model.gsub(/[^[:graph:]]/, "?").slice(0, PROMPT_LENGTH) : request.route
        end

        def prompt(request)
          text = Prompt.of(request)
          (text.length > PROMPT_LENGTH) ? "#{text.slice(0, PROMPT_LENGTH - 1)}…" : text
        end

        def stamp
          Time.now.strftime("%H:%M:%S.%L")
        end
      end
    end
  end
end
