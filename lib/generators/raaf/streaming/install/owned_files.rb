# frozen_string_literal: true

module RAAF
  module Streaming
    module Generators
      # Files that an application may have of its own: what is there and not ours is neither replaced, not even by
      # --force, nor taken away by destroy. Ours say so in their first lines.
      #
      # @api private
      module OwnedFiles
        # By which they are known.
        SIGNATURE = "Made by raaf:streaming:install."
        # How many lines of a file may stand above it, and it.
        WITHIN = 3

        # What is there already stays as it is, unless --force is given.
        #
        # @param source [String] a template
        # @param path [String] in the application
        # @return [Boolean] false: it is the application's own, and nothing was done
        def own_file(source, path)
          return false unless ours_or_absent?(path)

          template source, path, skip: true
          true
        end

        # @return [Boolean]
        def ours_or_absent?(path)
          content = read(path)
          content.empty? || content.lines.first(WITHIN).any? { |line| line.include?(SIGNATURE) }
        end

        # @return [String] "" for a file that is not there
        def read(path)
          file = File.join(destination_root, path)
          File.file?(file) ? File.read(file) : ""
        end

        # Writes what has been changed in a file, unless they only pretend.
        #
        # @return [void]
        def rewrite(path, content)
          return if content == read(path)

          say_status((behavior == :revoke) ? :subtract : :append, path)
          File.write(File.join(destination_root, path), content) unless options[:pretend]
        end

        # Adds what the reader has to do himself, for the end.
        #
        # @return [void]
        def left(what)
          (@left ||= []) << what
        end

        # @param folders [Array<String>] the inner ones first
        # @return [void]
        def remove_empty_folders(*folders)
          folders.each do |folder|
            path = File.join(destination_root, folder)
            Dir.rmdir(path) if Dir.exist?(path) && Dir.empty?(path) && !options[:pretend]
          end
        end
      end
    end
  end
end
