# frozen_string_literal: true

require "json"

module RAAF
  module Streaming
    module Generators
      module JavaScript
        # @rails/actioncable in package.json, where the application has it not. The file is changed as text, so that
        # destroy can take back that and nothing else; whose it is stands in consumer.js.
        #
        # @api private
        class Package
          FILE = "package.json"
          NAME = "@rails/actioncable"
          NOTE = "For it #{NAME} was added to #{FILE}."
          INSTALL = {"yarn.lock" => "yarn install", "pnpm-lock.yaml" => "pnpm install", "bun.lockb" => "bun install",
                     "bun.lock" => "bun install"}.freeze

          EMPTY = /("dependencies"\s*:\s*\{)(\s*\})/
          OPENING = /"dependencies"\s*:\s*\{/

          ENTRY = /"#{NAME}": "[^"]*"/
          # How it may stand there, and what is left without it: in an object that was added with it, in one that was
          # empty, before others; and in two ways that npm may have made of these.
          FORMS = [
            [/\A(\s*\{)\n[ \t]+"dependencies": \{\n[ \t]+#{ENTRY}\n[ \t]+\}(?:,|\n(?=\s*\}))/, '\1'],
            [/(\{)#{ENTRY}(\s*\})/, '\1\2'],
            [/\n[ \t]*#{ENTRY},/, ""],
            [/,\s*#{ENTRY}/, ""],
            [/\s*#{ENTRY}\s*/, ""]
          ].freeze

          # @param generator [InstallGenerator]
          # @param consumer [String] path of consumer.js
          def initialize(generator, consumer)
            @generator = generator
            @consumer = consumer
          end

          # @return [String, nil] what consumer.js says
          def note
            NOTE if @ours
          end

          # Adds it, or takes it back.
          #
          # @return [void]
          def change
            @ours = @generator.read(@consumer).include?(NOTE)
            return (take_back if @ours) if @generator.behavior == :revoke
            return if there?
            return @generator.left("#{NAME} is missing in #{FILE}") unless @ours || consumer_is_written?

            @ours = true
            @generator.rewrite(FILE, add(text))
            @generator.left("#{command}: #{NAME} is new in #{FILE}")
          end

          # @return [String] package.json with it
          def add(text)
            entry = %("#{NAME}": "^#{version}")
            indent = text[/^([ \t]+)"/, 1] || "  "
            case text
            # On the brace's line, by which it is known again.
            when EMPTY then text.sub(EMPTY, "\\1#{entry}\\2")
            when OPENING then text.sub(OPENING) { |opening| "#{opening}\n#{indent * 2}#{entry}," }
            when /\A\s*\{\s*\}/ then text.sub("{", "{#{block(entry, indent)}\n")
            else text.sub("{", "{#{block(entry, indent)},")
            end
          end

          # @return [String] package.json without it
          def remove(text)
            form, rest = FORMS.find { |candidate, _| text.match?(candidate) }
            form ? text.sub(form, rest) : text
          end

          private

          def text
            @generator.read(FILE)
          end

          # One that stays as it is could not say whose the package is.
          def consumer_is_written?
            @generator.options[:force] || @generator.read(@consumer).empty?
          end

          def take_back
            @generator.rewrite(FILE, remove(text))
          end

          def there?
            parsed = JSON.parse(text)
            %w[dependencies devDependencies].any? { |key| parsed.fetch(key, {}).key?(NAME) }
          end

          def block(entry, indent)
            %(\n#{indent}"dependencies": {\n#{indent * 2}#{entry}\n#{indent}})
          end

          # npm's versions follow Rails'.
          def version
            "#{::Rails::VERSION::MAJOR}.#{::Rails::VERSION::MINOR}.0"
          end

          def command
            INSTALL.find { |lock, _| File.file?(File.join(@generator.destination_root, lock)) }&.last || "npm install"
          end
        end
      end
    end
  end
end
