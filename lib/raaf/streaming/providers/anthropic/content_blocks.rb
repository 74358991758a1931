# frozen_string_literal: true

require_relative "../../../errors"
require_relative "../../../models/http_provider"
require_relative "../../message_content"

module RAAF
  module Streaming
    module Providers
      class Anthropic < Models::HTTPProvider
        # Content in OpenAI's form, as the blocks of Anthropic's.
        #
        # Source: Anthropic's API reference, Messages, `messages.content`; its Ruby client, lib/anthropic/models/
        # {text,image,document}_block_param.rb and *_source.rb.
        #
        # @api private
        class ContentBlocks
          # What a part may have besides its content, and its block has too.
          KEPT_KEYS = %i[cache_control citations title context].freeze

          PDF = "application/pdf"

          private_constant :KEPT_KEYS, :PDF

          # @param blocks [Array<Hash>]
          # @return [Boolean] whether they are texts and nothing else
          def self.plain?(blocks)
            blocks.all? { |block| block.keys.sort == %i[text type] }
          end

          # @param provider [String] who is named in errors
          def initialize(provider)
            @provider = provider
          end

          # @param content [String, Array<Hash>, Hash, nil]
          # @return [Array<Hash{Symbol=>Object}>] a block a part; parts of Anthropic's own go as they are
          # @raise [Errors::InvalidRequestError] for a part that Claude cannot take
          def of(content)
            MessageContent.parts(content).filter_map do |part|
              MessageContent.text?(part) ? text(part) : of_media(part)
            end
          end

          private

          # Without any text but white space the API refuses a block.
          #
          def text(part)
            part unless part[:text].to_s.strip.empty?
          end

          def of_media(part)
            media = MessageContent.media(part) or return part
            block = (media.kind == :image) ? image(media) : document(media)
            block.merge(part.slice(*KEPT_KEYS))
          end

          def image(media)
            {type: "image", source: source(media)}
          end

          def document(media)
            raise unsupported("sound") if media.kind == :audio
            return image(media) if media.media_type.to_s.start_with?("image/")

            {type: "document", source: document_source(media), title: media.filename}.compact
          end

          def document_source(media)
            case media.media_type
            when nil, PDF then source(media)
            when %r{\Atext/} then {type: "text", media_type: "text/plain", data: decoded(media)}
            else raise unsupported("files of the type #{media.media_type}")
            end
          end

          def source(media)
            return {type: "file", file_id: media.file_id} if media.file_id
            return {type: "url", url: media.url} if media.url

            {type: "base64", media_type: media.media_type, data: media.data}
          end

          def decoded(media)
            media.data.to_s.unpack1("m").to_s.force_encoding(Encoding::UTF_8)
          end

          def unsupported(what)
            Errors::InvalidRequestError.new("Claude takes texts, images and PDFs, not #{what}: leave it out, or ask " \
                                            "another model.", provider: @provider)
          end
        end
      end
    end
  end
end
