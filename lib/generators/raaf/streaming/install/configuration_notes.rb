# frozen_string_literal: true

module RAAF
  module Streaming
    module Generators
      # What the documentation of {Configuration} says of each setting, for the initializer: read from its source, so
      # that there is one text.
      #
      # @api private
      module ConfigurationNotes
        SOURCE = File.expand_path("../../../../raaf/streaming/configuration.rb", __dir__)
        ATTRIBUTE = /^ *# @!attribute (\w+)\n((?: *#(?:   .*)?\n)+)/
        # YARD's links: of a setting the name is left, of anything else what it is called, or the title.
        LINK = /\{(?:(?:Configuration)?#)?([\w:#.?!]+)(?:\s+([^}]+))?\}/
        WIDTH = 100

        # What the guide's initializer sets: text goes to browsers, where larger pieces are cheaper.
        SET = {chunk_buffer_size: 50, chunk_buffer_timeout: 100}.freeze

        module_function

        # @return [Array<Array(Symbol, Array<String>, String)>] name, lines of explanation, and the line that sets it
        def all
          notes = File.read(SOURCE).scan(ATTRIBUTE).to_h
          Configuration.keys.map { |name| [name, lines(notes.fetch(name.to_s)), assignment(name)] }
        end

        # Without YARD's marks: the types in brackets, links, backticks.
        def lines(note)
          text = note.gsub(/^ *# */, "").tr("\n", " ").delete("`").gsub(LINK) { $2 || $1 }.strip
          text = text.sub(/\A@return \[(.*?)\] /, "")
          text[0] = text[0].upcase
          text.scan(/\S.{0,#{WIDTH}}(?=\s|$)|\S+/o)
        end

        def assignment(name)
          return "config.#{name} = #{SET[name].inspect}" if SET.key?(name)

          "# config.#{name} = #{ConfigurationKeys::ALL.fetch(name).default.inspect}"
        end
      end
    end
  end
end
