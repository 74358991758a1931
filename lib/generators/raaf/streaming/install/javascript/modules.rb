# frozen_string_literal: true

require_relative "../owned_files"

module RAAF
  module Streaming
    module Generators
      module JavaScript
        # A copy of this gem's JavaScript in the application, for bundlers. Running the generator again brings it up to
        # date: it is ours, whatever has been changed in it.
        #
        # @api private
        class Modules
          SOURCE = File.expand_path("../../../../../../app/javascript/raaf_streaming", __dir__)
          NAME = "raaf_streaming"
          # Under an importmap the modules name each other so; in a folder they stand beside each other.
          IMPORT = %r{(["'])raaf_streaming/([\w/-]+)\1}
          HEAD = <<~JS
            // #{OwnedFiles::SIGNATURE} A copy of raaf-streaming's, which is made anew by running that again, as you
            // should after an update of the gem. Change nothing here.

          JS

          # @param generator [InstallGenerator]
          # @param folder [String] of the application's JavaScript
          def initialize(generator, folder)
            @generator = generator
            @folder = "#{folder}/#{NAME}"
          end

          # Makes the copy, or takes it away.
          #
          # @return [void]
          def change
            names = Dir.children(SOURCE).grep(/\.js\z/).sort
            names.each { |name| copy(name) }
            (there - names).each { |name| @generator.remove_file("#{@folder}/#{name}") }
            @generator.remove_empty_folders(@folder) if @generator.behavior == :revoke
          end

          private

          def copy(name)
            path = "#{@folder}/#{name}"
            return unless @generator.ours_or_absent?(path)

            content = HEAD + File.read(File.join(SOURCE, name)).gsub(IMPORT, '\1./\2\1')
            @generator.create_file(path, content, force: true)
          end

          # Of an older version, too.
          def there
            Dir.glob("*.js", base: File.join(@generator.destination_root, @folder))
              .select { |name| @generator.ours_or_absent?("#{@folder}/#{name}") }
          end
        end
      end
    end
  end
end
