# frozen_string_literal: true

module RAAF
  module Streaming
    module Generators
      # What is to be said of Action Cable's adapter in production, by config/cable.yml.
      #
      # @api private
      module CableNotes
        FILE = "config/cable.yml"
        # Adapters that reach only browsers whose socket the same process holds.
        ALONE = %w[async inline test].freeze
        # The gem that each of the others loads, and Rails itself does not bring.
        GEMS = {"redis" => "redis", "solid_cable" => "solid_cable", "postgresql" => "pg"}.freeze

        module_function

        # @return [Array<String>]
        def all
          cable = ::Rails.application.config_for(:cable, env: "production") || {}
          adapter = cable[:adapter].to_s
          return ["#{FILE} names no adapter for production"] if adapter.empty?
          return [alone(adapter)] if ALONE.include?(adapter)

          [gem_of(adapter), (deaf if adapter == "redis" && !cable[:reconnect_attempts].is_a?(Array))].compact
        rescue => error # what stands there is the application's, and may want a server or a variable to be read
          ["#{FILE} cannot be read for production: #{error.message.lines.first.to_s.strip}"]
        end

        def gem_of(adapter)
          name = GEMS[adapter]
          return if name.nil? || Gem.loaded_specs.key?(name)

          "#{FILE}: production has #{adapter}, which needs gem #{name.inspect} in the Gemfile"
        end

        # Source: Action Cable's Redis adapter (7.1 to 8.1), whose thread that listens ends after these attempts.
        def deaf
          "#{FILE}: without a line such as reconnect_attempts: [0, 1, 2, 5, 10] a web process whose Redis was away " \
            "hears nothing until it is started again"
        end

        def alone(adapter)
          "#{FILE}: production has #{adapter}, by which other processes (jobs, a second Puma worker) reach no " \
            "browser; redis, solid_cable and postgresql reach all"
        end
      end
    end
  end
end
