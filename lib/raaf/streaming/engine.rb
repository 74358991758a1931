# frozen_string_literal: true

require "rails/engine"
require_relative "rails/agent_service"
require_relative "rails/broadcasting_service"
require_relative "rails/channel_actions"
require_relative "rails/departures"
require_relative "rails/executor"
require_relative "rails/log_subscriber"
require_relative "rails/user_connection"

module RAAF
  module Streaming
    # Loaded when a browser subscribes to it, or a class inherits it: Action Cable is there then.
    autoload :SessionChannel, "#{__dir__}/rails/session_channel"

    # The gem inside a Rails application. It is loaded where Rails is loaded first, as it is by the Gemfile of an
    # application; a program that loads this gem first calls `require "raaf/streaming/engine"` afterwards.
    #
    # It starts nothing: the native thread begins with the first request to a model, in the process that makes it.
    #
    # - Code of the application's that this gem runs (callbacks, tools, handlers) runs inside Rails' executor.
    # - Each stream leaves one line in the log, by {LogSubscriber}.
    # - API keys are kept out of the parameters in the log.
    # - Hashes that are broadcast from a stream's block are numbered, by {BroadcastStamp}, and kept for a while in a
    #   {ReplayStore}, which goes by Action Cable's adapter where the application sets none.
    # - In development and in tests the log says where a broadcast shows browsers too much of a record, by
    #   {BroadcastDoctor}.
    # - In the test environment RAAF.provider is a {Testing::MockProvider}, unless the application has set another one.
    class Engine < ::Rails::Engine
      engine_name "raaf_streaming"

      # What providers' keys are called in parameters. Rails' own list has most of them in a new application; this
      # holds for old ones and for headers that are passed on.
      FILTERED = [/api[_-]?key/i, /x-goog-api-key/i, /\Aauthorization\z/i].freeze

      initializer "raaf_streaming.filter_parameters", before: :load_config_initializers do |app|
        app.config.filter_parameters += FILTERED
      end

      initializer "raaf_streaming.executor" do |app|
        Streaming.executor = Executor.new(app.executor)
      end

      initializer "raaf_streaming.log_subscriber" do
        LogSubscriber.attach_to(:raaf)
      end

      # Action Cable's server is loaded with the first broadcast, which may come from within a stream.
      initializer "raaf_streaming.broadcast_stamp" do
        if defined?(::ActionCable::Engine)
          Delivery.keep
          ReplayStore.choose { ReplayStore.for_cable(::ActionCable.server.config.cable) }
        end
        ActiveSupport.on_load(:action_cable) do
          require_relative "rails/broadcast_stamp"
          BroadcastStamp.install
        end
      end

      # For ApplicationJob, which includes it.
      initializer "raaf_streaming.agent_job" do
        ActiveSupport.on_load(:active_job) { require_relative "rails/agent_job" }
        ActiveSupport.on_load(:solid_queue) do
          SolidQueue.on_worker_stop { JobShutdown.worker_stops(SolidQueue.shutdown_timeout) }
        end
      end

      # Where somebody looks at the log: it says what of a record goes to browsers.
      initializer "raaf_streaming.broadcast_doctor" do
        next unless ::Rails.env.local?

        ActiveSupport.on_load(:action_cable) do
          require_relative "rails/broadcast_doctor"
          BroadcastDoctor.install
        end
      end

      # The browser's side, for applications with an asset pipeline and importmap-rails.
      initializer "raaf_streaming.assets" do |app|
        next unless app.config.respond_to?(:assets)

        folder = root.join("app/javascript")
        app.config.assets.paths << folder.to_s
        # Sprockets serves only what it is told of; Propshaft serves all.
        app.config.assets.precompile += Dir.glob("**/*.js", base: folder)
      end

      initializer "raaf_streaming.importmap", before: "importmap" do |app|
        app.config.importmap.paths << root.join("config/importmap.rb") if app.config.respond_to?(:importmap)
      end

      config.after_initialize do
        RAAF.provider ||= Testing::MockProvider.new if ::Rails.env.test? && RAAF.respond_to?(:provider=)
      end
    end
  end
end
