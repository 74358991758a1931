# frozen_string_literal: true

require "rails/generators/base"
require_relative "cable_notes"
require_relative "configuration_notes"
require_relative "javascript"
require_relative "jobs"
require_relative "owned_files"

module RAAF
  module Streaming
    # What `rails generate` finds.
    module Generators
      # Makes an application ready for the streaming guide: `rails generate raaf:streaming:install`. It may be run
      # again; `rails destroy raaf:streaming:install` takes back what it did.
      #
      # Of files that are there already only what is missing is added, and a class of the application's own is never
      # replaced (see {OwnedFiles}).
      class InstallGenerator < ::Rails::Generators::Base
        include OwnedFiles

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

        # The first line of Ruby files that are wholly ours.
        MARK = "# #{SIGNATURE}"

        # What a connection gets.
        INCLUDED = <<-RUBY
    # Finds the user as Devise, Rails' own authentication or session[:user_id] knows them, and turns strangers away. If
    # you know yours otherwise, define a private method find_user: see RAAF::Streaming::UserConnection.
    include RAAF::Streaming::UserConnection
        RUBY

        # What a channel gets.
        INCLUDED_IN_CHANNEL = <<-RUBY
    # Makes answers resumable and stoppable, in every channel: see RAAF::Streaming::ChannelActions.
    include RAAF::Streaming::ChannelActions
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
          path = "config/initializers/raaf_streaming.rb"
          unmentioned = unmentioned_settings(path)
          rewritten = own_file("initializer.rb.tt", path) && options[:force]
          return if unmentioned.empty? || rewritten

          left "#{path} is kept as it is, and says nothing of #{unmentioned.join(", ")}"
        end

        # The class that the guide's channel inherits from.
        #
        # @return [void]
        def create_channel
          path = "app/channels/application_cable/channel.rb"
          return own_file("application_cable_channel.rb.tt", path) if ours_or_absent?(path)

          include_into path, "Channel", INCLUDED_IN_CHANNEL
        end

        # Who is at the other end.
        #
        # @return [void]
        def create_connection
          path = "app/channels/application_cable/connection.rb"
          own = own_file("application_cable_connection.rb.tt", path)
          content = read(path)
          if own || content.include?(INCLUDED.lines.last.strip) || !content.include?("identified_by")
            include_into(path, "Connection", INCLUDED) unless own
            return look_for_users(path)
          end

          known = content.match?(/identified_by\b.*:current_user\b/)
          left "#{path} finds its user itself; the guide's channel needs current_user" unless known
        end

        # Who answers.
        #
        # @return [void]
        def create_services
          own_file "streaming_agent_service.rb.tt", "app/services/streaming_agent_service.rb"
          if own_file("agent_service.rb.tt", "app/services/agent_service.rb")
            left "app/services/agent_service.rb says who answers: instructions, model, tools"
          elsif !read("app/services/agent_service.rb").include?("RAAF::Streaming::AgentService")
            left "app/services/agent_service.rb is yours: have it inherit from RAAF::Streaming::AgentService"
          end
        end

        # What jobs inherit, and who takes them.
        #
        # @return [void]
        def create_jobs
          Jobs.new(self).install
        end

        # consumer.js, and how the browser finds it.
        #
        # @return [void]
        def create_javascript
          javascript.install
        end

        # A page for the guide's streaming_chat.js.
        #
        # @return [void]
        def create_page
          return unless options[:page] || behavior == :revoke

          own_file "streaming_chat_controller.rb.tt", "app/controllers/streaming_chat_controller.rb"
          own_file "show.html.erb.tt", "app/views/streaming_chat/show.html.erb"
          return left("/chat is yours: give streaming_chat#show another route") if behavior == :invoke && chat_is_taken?

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

        # How the frames get from process to process.
        #
        # @return [void]
        def look_at_cable
          CableNotes.all.each { |note| left(note) } if cable? && behavior == :invoke
        end

        # What others may see of a user.
        #
        # @return [void]
        def create_safe_user
          path = "app/models/user.rb"
          return unless (behavior == :revoke) ? read(path).include?(SAFE_USER) : options[:safe_user]
          return left("#{path} is not there, so nothing limits what its as_json shows") if read(path).empty?

          inject_into_class path, "User", SAFE_USER
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
          return remove_our_folders if behavior == :revoke

          files = ["app/channels/agent_channel.rb", "#{javascript.folder}/streaming_chat.js"]
          unpasted = files.select { |path| read(path).empty? }
          left "paste the guide's #{unpasted.join(" and ")}" if unpasted.any?
          left "a key for the provider, such as OPENAI_API_KEY, in the server's environment"
          say "\nLeft for you:"
          @left.each { |what| say "  - #{what}" }
        end

        private

        def javascript
          @javascript ||= JavaScript.of(self)
        end

        # Settings that a file which is there already does not mention: those of a newer version, as a rule.
        def unmentioned_settings(path)
          content = read(path)
          return [] if content.empty?

          Configuration.keys.reject { |name| content.match?(/\bconfig\.#{name}\b/) }
        end

        # Where it is not included yet, into a class of Action Cable's, which may be written with its module's name.
        def include_into(path, name, lines)
          content = read(path)
          return if behavior == :invoke && content.include?(lines.lines.last.strip)

          whole = "ApplicationCable::#{name}"
          return inject_into_class(path, whole, lines.gsub(/^  /, "")) if content.include?("class #{whole}")

          inject_into_class path, name, lines
        end

        # Whether the application has something else there. A route for all paths does not count: it stands last.
        def chat_is_taken?
          ::Rails.application.try(:reload_routes_unless_loaded) # newer Rails load them late
          ::Rails.application.routes.routes.any? do |route|
            route.path.spec.to_s.start_with?("/chat(", "/chat/:") && route.verb.match?(/\A(?:GET)?\z/) &&
              route.defaults[:controller] != "streaming_chat"
          end
        end

        # Without any, and without a word of who is there, everybody is a stranger.
        def look_for_users(path)
          return if behavior == :revoke || read(path).match?(/def find_user\b/)
          return if defined?(::Devise) || !read("app/models/user.rb").empty?

          left "#{path} turns everybody away while there is no model User who could sign in: define find_user there"
        end

        def store?
          return options[:store] unless options[:store].nil?

          read("config/cable.yml").match?(/^\s*adapter:\s*["']?(?:solid_cable|postgresql)\b/)
        end

        def cable?
          defined?(::ActionCable::Engine)
        end

        def remove_our_folders
          remove_empty_folders("app/services", "app/jobs", "app/views/streaming_chat",
            "app/channels/application_cable", "app/channels")
        end
      end
    end
  end
end
