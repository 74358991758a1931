# frozen_string_literal: true

require "json"

module RAAF
  module Streaming
    # Reads JSON that somebody else has written: with symbol keys, at any depth, and, of a key that stands twice, with
    # the last value, which newer versions of json refuse unless they are asked not to.
    #
    # @api private
    module ForeignJSON
      # @param text [String]
      # @return [Object]
      # @raise [JSON::ParserError]
      def self.parse(text)
        JSON.parse(text, symbolize_names: true, max_nesting: false, allow_duplicate_key: true)
      end
    end
  end
end
