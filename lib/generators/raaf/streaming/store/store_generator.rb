# frozen_string_literal: true

require "rails/generators/base"
require "rails/generators/active_record"
require "rails/generators/active_record/migration"

module RAAF
  module Streaming
    module Generators
      # Makes the migration for the tables of {ReplayStore::ActiveRecordStore} and {Memberships::ActiveRecordStore}:
      # `rails generate raaf:streaming:store`, then `rails db:migrate`. Where Action Cable goes by the database, the gem
      # then uses them by itself. With `--database NAME` it goes to that database's migrations.
      #
      # It may be run again; `rails destroy raaf:streaming:store` takes the migration back, after `rails db:rollback`.
      class StoreGenerator < ::Rails::Generators::Base
        include ::ActiveRecord::Generators::Migration

        # Thor would read RAAF as R_A_A_F.
        namespace "raaf:streaming:store"
        source_root File.expand_path("templates", __dir__)
        desc "Makes the migration for the tables in which frames of streams and members of sessions are kept."

        class_option :database, type: :string, aliases: %w[--db],
          desc: "The database, as database.yml names it, that the tables are to be in"

        # @return [void]
        def create_migration_file
          migration_template "create_raaf_streaming_tables.rb.tt",
            File.join(db_migrate_path, "create_raaf_streaming_tables.rb")
        end

        # What is left to do.
        #
        # @return [void]
        def finish
          return if behavior == :revoke

          say "\nLeft for you:"
          say "  - rails db:migrate"
          return unless options[:database]

          say "  - an abstract class that connects to #{options[:database]}; config/initializers/raaf_streaming.rb gets"
          say '    config.replay_store = RAAF::Streaming::ReplayStore::ActiveRecordStore.new(base: "ItsName")'
        end
      end
    end
  end
end
