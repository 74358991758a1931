# frozen_string_literal: true

require "json"

module RAAF
  module Streaming
    # Reads what a provider, or a proxy on the way, wrote into the body of an error response.
    #
    # Shapes seen: `{"error": {message, type, code, param}}` (OpenAI and most others; Gemini writes `status` for the
    # type), the same in an Array (Gemini without `alt=sse`), `{"error": "text"}` (Ollama, xAI), `{"message": …}` (vLLM,
    # Mistral), `{"detail": …}` and `{"message": {"detail": …}}` (FastAPI servers, Mistral), plain text, HTML pages of
    # proxies, and nothing.
    #
    # @api private
    class ErrorBody
      # How much of a body is looked at when it is no JSON. Unit: characters.
      TEXT_WINDOW = 4096

      # How much of a provider's words is quoted. Unit: characters.
      MAX_QUOTE = 400

      # @return [String, nil] the provider's sentence, on one line, at most {MAX_QUOTE} characters
      attr_reader :message
      # @return [String, nil]
      attr_reader :type
      # @return [String, nil]
      attr_reader :code
      # @return [String, nil]
      attr_reader :param

      # @param body [String, nil] the body as it came, perhaps cut
      # @yieldparam text [String] as for {quote}
      # @yieldreturn [String]
      def initialize(body, &redact)
        @redact = redact
        text = body.to_s.dup.force_encoding(Encoding::UTF_8).scrub("\uFFFD")
        read(parse(text) || {"message" => words_of(text)})
      end

      # One line of readable text, at most {MAX_QUOTE} characters.
      #
      # @param text [#to_s, nil]
      # @yieldparam text [String] what will be quoted, perhaps without its end: for secrets to be taken out before more
      #   is cut, which could leave a part of one
      # @yieldreturn [String]
      # @return [String, nil] nil where nothing is left
      def self.quote(text)
        words = text.to_s[0, TEXT_WINDOW].to_s
        words = yield words if block_given?
        line = words.gsub(/(?:[[:space:]]|[[:cntrl:]])+/, " ").strip
        return if line.empty?

        (line.length > MAX_QUOTE) ? "#{line[0, MAX_QUOTE - 1]}…" : line
      end

      private

      def parse(text)
        return unless text.match?(/\A\s*[{\[]/)

        data = JSON.parse(text)
        data = data.first while data.is_a?(Array)
        data.is_a?(Hash) ? data : nil
      rescue JSON::ParserError
        nil
      end

      def read(data)
        error = data["error"]
        fields = error.is_a?(Hash) ? error : data
        @message = self.class.quote(sentence(fields, error), &@redact)
        @type = text_of(fields["type"] || fields["status"])
        @code = text_of(fields["code"])
        @param = text_of(fields["param"])
      end

      def sentence(fields, error)
        return error if error.is_a?(String)

        words(fields.values_at("message", "detail", "error_message", "msg").find { |value| value })
      end

      # Mistral puts a list of complaints into `message`, each as FastAPI writes it: what, and of which field.
      def words(found)
        found = found.first while found.is_a?(Array)
        return found unless found.is_a?(Hash)
        return words(found.values_at("message", "detail").compact.first) unless found["msg"].is_a?(String)

        [found["msg"], ("(#{found["loc"].join(".")})" if found["loc"].is_a?(Array))].compact.join(" ")
      end

      def text_of(value)
        value.to_s if value.is_a?(String) || value.is_a?(Numeric)
      end

      # A page's title or its first words, never the page.
      def words_of(text)
        window = text[0, TEXT_WINDOW].to_s
        return window unless window.match?(/<(?:!doctype|html|head|body|title|h1)\b/i)

        title = window[%r{<title[^>]{0,200}>([^<]{1,400})}i, 1]
        title || window.gsub(%r{<(script|style)\b.*?(?:</\1>|\z)}mi, " ").gsub(/<[^>]*>/, " ")[0, 200].to_s
      end
    end
  end
end
