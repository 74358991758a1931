# frozen_string_literal: true

module RAAF
  module Streaming
    # Keeps keys out of everything that is shown: messages, logs, inspect, error bodies.
    #
    # Two lines of defence: the keys that were sent are cut wherever they stand, and so is whatever
    # looks like a key, since a provider may quote one that we never knew (of a proxy, of another
    # account) or only a part of ours.
    module Secrets
      # What stands where a secret stood.
      MASK = "[FILTERED]"

      # A given secret shorter than this is not searched for: cutting every "a" helps nobody.
      # Unit: bytes.
      MIN_SECRET = 4

      # A given secret shorter than this is cut only where it stands by itself: it is a placeholder for a server that
      # wants no key ("none", "test"), and must not take a part out of other words. Unit: bytes.
      MIN_ANYWHERE = 8

      # Every pattern is linear in the length of the text: a literal or a look-behind keeps a search from starting
      # again inside what it has rejected, and repetitions are possessive, atomic or bounded ({n,}+ is not possessive in
      # Ruby). Error bodies are hostile input.
      PATTERNS = [
        # Prefixes by which providers mark their keys: OpenAI and Anthropic (sk-), Groq (gsk_), xAI (xai-),
        # Perplexity (pplx-), Hugging Face (hf_), Replicate (r8_), NVIDIA (nvapi-), Google (AIza), AWS (AKIA).
        [/(?<![A-Za-z0-9])(?:sk-|sk_|gsk_|xai-|pplx-|hf_|r8_|nvapi-|AIza|AKIA)(?>[A-Za-z0-9_\-*.]{6,})/, MASK],
        # "Incorrect API key provided: my-ke****1234" (OpenAI's 401 quotes the ends of any key).
        [/(?<![\w-])[\w-]++\*\*++[\w-]*+/, MASK],
        [/(API key provided:\s{0,4})[^\s"']++/i, "\\1#{MASK}"],
        [/\b(Bearer|Basic)(\s{1,4})(?>[A-Za-z0-9._~+\/=-]{8,})/i, "\\1\\2#{MASK}"],
        [/([?&](?:key|api[_-]?key|access_token|auth_token|token|sig|signature)=)[^&\s"'#<>]++/i, "\\1#{MASK}"],
        [/((?:api[_-]?key|x-goog-api-key|authorization)["']?\s{0,4}[:=]\s{0,4}["']?)(?>[A-Za-z0-9._~+\/=-]{8,})/i,
          "\\1#{MASK}"],
        # The user and password of a URL.
        [%r{(\b[a-z][a-z0-9]{1,11}://)[^/\s@"'<>]{1,256}@}i, "\\1#{MASK}@"]
      ].each { |pair| pair.each(&:freeze).freeze }.freeze # to the bottom: an error is made in any Ractor

      # A header's name is a token. Source: RFC 9110, section 5.6.2.
      HEADER_NAME = /\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\z/

      # What no header value and no key may hold: every control character but the tab. Source: RFC 9110, section 5.5,
      # where CR, LF and NUL are called invalid and dangerous.
      FORBIDDEN = /[\x00-\x08\x0A-\x1F\x7F]/n

      private_constant :PATTERNS, :HEADER_NAME, :FORBIDDEN

      module_function

      # Cuts secrets out of a text.
      #
      # @param text [#to_s, nil] any text; bytes that are not valid UTF-8 become "\uFFFD"
      # @param secrets [String, Array<String, nil>, nil] keys to cut wherever they stand, also percent-encoded
      # @param truncated [Boolean] whether the text may have lost its end, and that end may be the beginning of one of
      #   the keys, which is cut too from {MIN_SECRET} characters on
      # @return [String, nil] a new String; nil for nil
      def redact(text, secrets = nil, truncated: false)
        return if text.nil?

        forms = forms_of(Array(secrets))
        cut = clean(text)
        cut = cut.gsub(Regexp.union(forms.map { |form| searched(form) }), MASK) unless forms.empty?
        cut = without_beginning(cut, forms) if truncated
        PATTERNS.reduce(cut) { |result, (pattern, mask)| result.gsub(pattern, mask) }
      end

      # Checks a header before a byte is sent: a line break in one would let whoever chose the value write headers
      # of their own.
      #
      # @param name [#to_s] the header's name
      # @param value [#to_s] its value
      # @return [void]
      # @raise [ArgumentError] names the header, never the value
      def check_header!(name, value)
        unless HEADER_NAME.match?(name.to_s.b)
          raise ArgumentError, "a header's name is not valid: letters, digits and - only (RFC 9110, token)"
        end
        return unless FORBIDDEN.match?(value.to_s.b)

        raise ArgumentError, "the value of the header #{name} holds #{control_character(value)}; remove it"
      end

      # Checks an API key before a byte is sent.
      #
      # @param key [#to_s] the key
      # @param name [String] how to call it in the message, such as OPENAI_API_KEY
      # @return [void]
      # @raise [ArgumentError] for a control character in it; the message never holds the key
      def check_key!(key, name: "the API key")
        return unless FORBIDDEN.match?(key.to_s.b)

        raise ArgumentError, "#{name} holds #{control_character(key)}; strip it (a key read from a file often " \
                             "ends with a line break)"
      end

      # @api private
      def clean(text)
        text = text.to_s
        text = text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace) unless utf8_or_bytes?(text)
        text.dup.force_encoding(Encoding::UTF_8).scrub("\uFFFD")
      end

      # @api private
      def utf8_or_bytes?(text)
        [Encoding::UTF_8, Encoding::BINARY, Encoding::US_ASCII].include?(text.encoding)
      end

      # @api private
      # @return [Array<String>] how the secrets may be written
      def forms_of(secrets)
        known = secrets.compact.map { |secret| clean(secret) }.select { |secret| secret.bytesize >= MIN_SECRET }
        # The longest first, so that a key that contains another goes as a whole.
        known.flat_map { |secret| [secret, percent_encoded(secret)] }.uniq.sort_by { |secret| -secret.length }
      end

      # @api private
      # @return [String, Regexp] what to search for
      def searched(form)
        (form.bytesize < MIN_ANYWHERE) ? /(?<![A-Za-z0-9])#{Regexp.escape(form)}(?![A-Za-z0-9])/ : form
      end

      # @api private
      def without_beginning(text, forms)
        lengths = forms.filter_map do |form|
          (form.length - 1).downto(MIN_SECRET).find { |length| text.end_with?(form[0, length].to_s) }
        end
        lengths.empty? ? text : "#{text[0...-lengths.max]}#{MASK}"
      end

      # @api private
      def percent_encoded(secret)
        secret.b.gsub(/[^A-Za-z0-9\-._~]/n) { |byte| format("%%%02X", byte.ord) }.force_encoding(Encoding::UTF_8)
      end

      # @api private
      def control_character(value)
        case value.to_s.b[FORBIDDEN]
        when "\r", "\n" then "a line break"
        when "\0" then "a NUL character"
        else "a control character"
        end
      end

      private_class_method :clean, :utf8_or_bytes?, :forms_of, :searched, :without_beginning, :percent_encoded,
        :control_character
    end
  end
end
