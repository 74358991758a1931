# frozen_string_literal: true

module RAAF
  module Streaming
    # What stands in a message, taken apart for providers that write it in another way than OpenAI does.
    #
    # The form that all providers understand is OpenAI's: content is a String, or an Array of parts:
    # `{type: "text", text:}`, `{type: "image_url", image_url: {url:}}`, `{type: "input_audio", input_audio: {data:,
    # format:}}` and `{type: "file", file: {file_data:, filename:}}`, where a URL may be a data URL. A part of any other
    # type is the provider's own and goes to it as it is.
    #
    # @api private
    module MessageContent
      # An image, a sound or a file.
      #
      # kind is :image, :audio or :file; either data (Base64) with its media_type, or url, or file_id is there.
      Media = Struct.new(:kind, :media_type, :data, :url, :file_id, :filename, keyword_init: true)

      # RFC 2397, with Base64.
      DATA_URL = %r{\Adata:(?<type>[\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[^;,]*)*;base64,(?<data>.*)\z}m

      # What a data URL without a type is. Source: RFC 2397.
      DEFAULT_TYPE = "text/plain"

      SYSTEM_ROLES = %w[system developer].freeze

      private_constant :DATA_URL, :DEFAULT_TYPE, :SYSTEM_ROLES

      module_function

      # @param content [String, Array<Hash>, Hash, nil]
      # @return [Array<Hash{Symbol=>Object}>] its parts, with Symbol keys at the top; a String is one text; empty texts
      #   are left out
      def parts(content)
        list = content.is_a?(Hash) ? [content] : Array(content)
        list.map { |part| part.is_a?(Hash) ? part.transform_keys(&:to_sym) : {type: "text", text: part.to_s} }
          .reject { |part| text?(part) && part[:text].to_s.empty? }
      end

      # @param part [Hash{Symbol=>Object}]
      # @return [Boolean]
      def text?(part)
        part[:type].to_s == "text"
      end

      # @param content [String, Array<Hash>, nil]
      # @return [String] all its text
      def text(content)
        return content if content.is_a?(String)

        parts(content).filter_map { |part| part[:text] if text?(part) }.join
      end

      # @param part [Hash{Symbol=>Object}] with Symbol keys
      # @return [Media, nil] nil for text, and for a part of the provider's own
      def media(part)
        inner = (part[part[:type].to_s.to_sym] || {}).then { |value| value.is_a?(Hash) ? value : {url: value} }
        inner = inner.transform_keys(&:to_sym)
        case part[:type].to_s
        when "image_url" then located(:image, inner[:url])
        when "input_audio" then Media.new(kind: :audio, media_type: "audio/#{inner[:format]}", data: inner[:data])
        when "file" then file(inner)
        end
      end

      # The system's messages stand apart in most formats.
      #
      # @param messages [Array<Hash{Symbol=>Object}>]
      # @return [Array(String, Array<Hash>)] their text, "" where there is none, and the other messages
      def split_system(messages)
        system, rest = messages.partition { |message| SYSTEM_ROLES.include?(message[:role].to_s) }
        [system.map { |message| text(message[:content]) }.reject(&:empty?).join("\n\n"), rest]
      end

      # What the assistant said, with what else the same provider had put into that answer, in its order.
      #
      # @param message [Hash{Symbol=>Object}] the assistant's
      # @param provider [String] whoever gets it; parts of another's are left out
      # @param dialect [Symbol, nil] where a provider has several: the one that they must be of
      # @return [Array<String, Hash>] pieces of text, and the provider's own parts
      def with_provider_parts(message, provider, dialect = nil)
        text = text(message[:content])
        from = 0
        pieces = provider_parts(message, provider, dialect).flat_map do |item|
          at = character_at(text, item[:at].clamp(from, text.bytesize))
          piece = text.byteslice(from, at - from)
          from = at
          [piece, item[:part]]
        end
        [*pieces, text.byteslice(from, text.bytesize - from)].reject { |piece| piece == "" }
      end

      # @param message [Hash{Symbol=>Object}]
      # @param provider [String]
      # @param dialect [Symbol, nil] where a provider has several: the one that they must be of
      # @return [Array<Hash{Symbol=>Object}>] :at and :part
      def provider_parts(message, provider, dialect = nil)
        parts = message[:parts] || {}
        other = dialect && parts[:dialect] && parts[:dialect].to_s != dialect.to_s
        own = parts[:provider] == provider && !other
        own ? parts[:items] : []
      end

      # @param message [Hash{Symbol=>Object}] the assistant's
      # @return [Array<Hash{Symbol=>Object}>] its tool calls: :id, :name, :arguments (Hash, {} where they are no JSON
      #   object)
      def tool_calls(message)
        (message[:tool_calls] || []).map do |given|
          call = given.transform_keys(&:to_sym)
          function = (call[:function] || {}).transform_keys(&:to_sym)
          {id: call[:id], name: function[:name], arguments: arguments(function[:arguments])}
        end
      end

      # A text that was changed since may have another character there: it is not cut inside of one.
      def character_at(text, place)
        place += 1 while place < text.bytesize && text.getbyte(place).to_i.between?(0x80, 0xBF)
        place
      end

      def located(kind, url)
        found = DATA_URL.match(url.to_s)
        return Media.new(kind: kind, url: url.to_s) unless found

        Media.new(kind: kind, media_type: found[:type] || DEFAULT_TYPE, data: found[:data])
      end

      def file(inner)
        return Media.new(kind: :file, file_id: inner[:file_id], filename: inner[:filename]) if inner[:file_id]

        located(:file, inner[:file_data] || inner[:url]).tap { |media| media.filename = inner[:filename] }
      end

      def arguments(given)
        return given if given.is_a?(Hash)

        parsed = JSON.parse(given.to_s)
        parsed.is_a?(Hash) ? parsed : {}
      rescue JSON::ParserError
        {}
      end

      private_class_method :character_at, :located, :file, :arguments
    end
  end
end
