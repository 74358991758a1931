# frozen_string_literal: true

module RAAF
  module Streaming
    # Finds and loads the real raaf-core, where there is one, before anything of ours takes its names.
    #
    # This gem ships a file raaf-core.rb so that `require "raaf-core"` works without that gem. Whichever of the two
    # files Ruby finds first, and whether raaf-core or raaf-streaming is required first, the outcome is the same: the
    # real one once, then ours.
    #
    # @api private
    module CoreLoader
      # The name of the gem and of its entry file.
      NAME = "raaf-core"

      # Our own file of that name.
      STAND_IN = File.expand_path("../../#{NAME}.rb", __dir__.to_s)

      private_constant :STAND_IN

      module_function

      # Loads the real raaf-core; without one does nothing. Decided once: where our stand-ins have taken its names, it
      # is too late for it.
      #
      # @return [Boolean] whether there is one
      # @raise [LoadError] where there is one that cannot be loaded: its own error, which must not be hidden
      def load_core
        @real = loaded? || load_found if @real.nil?
        @real == true
      end

      def load_found
        path = find
        return false unless path

        @real = true # also for who asks while it loads
        require path
        true
      rescue LoadError
        @real = nil
        raise
      end

      # @return [Boolean] whether the real raaf-core, or anything that defines its Agent, is loaded or being loaded
      def loaded?
        return true if defined?(RAAF::Agent)

        $LOADED_FEATURES.any? { |feature| entry_file?(feature) && real?(feature) }
      end

      # @return [String, nil] the path of the real one's entry file, which is the one that `require` would take
      def find
        on_load_path || in_gems
      end

      def on_load_path
        $LOAD_PATH.each do |folder|
          path = File.expand_path("#{NAME}.rb", folder.to_s)
          return path if real?(path) && File.file?(path)
        end
        nil
      end

      # A gem that is installed and not yet on the load path. Under Bundler only what the bundle has is seen, as it
      # should be.
      def in_gems
        return unless defined?(::Gem::Specification)

        specification = Gem.loaded_specs[NAME] || installed
        activate(specification) if specification
      end

      def activate(specification)
        specification.activate
        entries = specification.full_require_paths.map { |folder| File.join(folder, "#{NAME}.rb") }
        entries.find { |path| File.file?(path) }
      end

      def installed
        Gem::Specification.find_by_name(NAME) # steep:ignore NoMethod
      rescue Gem::MissingSpecError
        nil
      end

      def entry_file?(path)
        path.end_with?("/#{NAME}.rb")
      end

      # Links are followed: our own folder may be on the load path under another name.
      def real?(path)
        return false if path == STAND_IN

        !File.exist?(path) || File.realpath(path) != File.realpath(STAND_IN)
      end

      private_class_method :load_found, :on_load_path, :in_gems, :activate, :installed, :entry_file?, :real?
    end
  end
end
