# frozen_string_literal: true

require "rails/generators/base"
require_relative "configuration_notes"
require_relative "javascript"

module RAAF
  module Streaming
    # What `rails generate` finds.
    module Generators
      # Makes an application ready for the streaming guide: `rails generate raaf:streaming:install`. It may be run
      # again; `rails destroy raaf:streaming:install` takes back what it did.
      #
      # Of files that are there already only what is missing is added, and a class of the application's own is never
      # replaced.
      class InstallGenerator < ::Rails::Generators::Base
        # Thor would read RAAF as R_A_A_F.
        namespace "raaf:streaming:install"
        source_root File.expand_path("templates", __dir__)
        desc "Makes the application ready for streamed answers: initializer, channels, services, consumer.js, a page."

        class_option :page, type: :boolean, default: true,
          desc: "Makes a page, /chat, with the elements that the guide's streaming_chat.js looks for"
        class_option :safe_user, type: :boolean, default: false,
          desc: "Lets User#as_json show id and name only, since broadcasts carry users as JSON"

        class_option :store, type: :boolean, default: nil,
          desc: "Makes the migration of raaf:streaming:store. Default: where cable.yml has solid_cable or postgresql"

        # The first line of files that are wholly ours, by which destroy knows them where Rails makes some too.
        MARK = "# Made by raaf:streaming:install."

        # What a connection gets.
        INCLUDED = <<-RUBY
    # Finds the user as Devise, Rails' own authentication or session[:user_id] knows them, and turns strangers away. If
    # you know yours otherwise, define a private method find_user: see RAAF::Streaming::UserConnection.
    include RAAF::Streaming::UserConnection
        RUBY

        # What the model User gets, where it is asked for.
        SAFE_USER = <<-RUBY
  # What others may see of a user: broadcasts carry users as JSON, and without this every column.
  def as_json(options = nil)
    super(options.presence || {only: %i[id name]})
  end

        RUBY

        # Every setting with its explanation.
        #
        # @return [void]
        def create_initializer
          template "initializer.rb.tt", "config/initializers/raaf_streaming.rb"
        end

        # The class that the guide's channel inherits from.
        #
        # @return [void]
        def create_channel
          own_file "application_cable_channel.rb.tt", "app/channels/application_cable/channel.rb"
        end

        # Who is at the other end.
        #
        # @return [void]
        def create_connection
          path = "app/channels/application_cable/connection.rb"
          return own_file("application_cable_connection.rb.tt", path) if ours_or_absent?(path)
          if read(path).include?("identified_by")
            return left("#{path} finds its user itself; the guide's channel needs current_user")
          end

          inject_into_class path, "Connection", INCLUDED
        end

        # Who answers.
        #
        # @return [void]
        def create_services
          template "agent_service.rb.tt", "app/services/agent_service.rb", skip: true
          template "streaming_agent_service.rb.tt", "app/services/streaming_agent_service.rb", skip: true
          left "app/services/agent_service.rb says who answers: instructions, model, tools"
        end

        # consumer.js, and how the browser finds it.
        #
        # @return [void]
        def create_javascript
          javascript.install
          javascript.left.each { |what| left(what) }
        end

        # A page for the guide's streaming_chat.js.
        #
        # @return [void]
        def create_page
          return unless options[:page]

          template "streaming_chat_controller.rb.tt", "app/controllers/streaming_chat_controller.rb", skip: true
          template "show.html.erb.tt", "app/views/streaming_chat/show.html.erb", skip: true
          route 'get "chat", to: "streaming_chat#show"'
        end

        # Action Cable mounts itself, unless the application has told it not to.
        #
        # @return [void]
        def create_route
          return left('Action Cable is not loaded: require "action_cable/engine" in application.rb') unless cable?
          return if ::Rails.application.config.action_cable.mount_path
          return if behavior == :invoke && read("config/routes.rb").include?("ActionCable.server")

          route 'mount ActionCable.server, at: "/cable"'
        end

        # What others may see of a user.
        #
        # @return [void]
        def create_safe_user
          return unless options[:safe_user]

          inject_into_class "app/models/user.rb", "User", SAFE_USER
        end

        # Tables for what streams send, where Action Cable goes by the database.
        #
        # @return [void]
        def create_store
          return unless store?

          require_relative "../store/store_generator" # needs ActiveRecord, which not every application has
          invoke(StoreGenerator)
        end

        # What is left to do; or what is left to take away.
        #
        # @return [void]
        def finish
          return remove_empty_folders if behavior == :revoke

          left "paste the guide's app/channels/agent_channel.rb and app/javascript/streaming_chat.js"
          left "a key for the provider, such as OPENAI_API_KEY, in the server's environment"
          say "\nLeft for you:"
          @left.each { |what| say "  - #{what}" }
        end

        private

        def left(what)
          (@left ||= []) << what
        end

        def javascript
          @javascript ||= JavaScript.of(self)
        end

        def own_file(source, path)
          return unless ours_or_absent?(path)

          template source, path
        end

        def ours_or_absent?(path)
          content = read(path)
          content.empty? || content.start_with?(MARK)
        end

        # @return [String] "" for a file that is not there
        def read(path)
          file = File.join(destination_root, path)
          File.file?(file) ? File.read(file) : ""
        end

        def store?
          return options[:store] unless options[:store].nil?

          read("config/cable.yml").match?(/^\s*adapter:\s*["']?(?:solid_cable|postgresql)\b/)
        end

        def cable?
          defined?(::ActionCable::Engine)
        end

        def remove_empty_folders
          %w[app/services app/views/streaming_chat app/channels/application_cable app/channels].each do |folder|
            path = File.join(destination_root, folder)
            Dir.rmdir(path) if Dir.exist?(path) && Dir.empty?(path)
          end
        end
      end
    end
  end
end
