# frozen_string_literal: true

require_relative "queues"

module RAAF
  module Streaming
    module Generators
      # Has the application's jobs include {AgentJob}, and its workers take the queues of the guide's; undoes both.
      #
      # @api private
      class Jobs
        PATH = "app/jobs/application_job.rb"
        INCLUDED = <<-RUBY
  # Lets what a job streams be found again, gives priorities names, and says who answers (build_agent_for_user): see
  # RAAF::Streaming::AgentJob.
  include RAAF::Streaming::AgentJob

        RUBY

        # @param generator [InstallGenerator]
        def initialize(generator)
          @generator = generator
        end

        # @return [void]
        def install
          unless defined?(::ActiveJob::Railtie)
            return @generator.send(:left, 'Active Job is not loaded: require "active_job/railtie" in application.rb')
          end

          include_into_application_job
          Queues.new(@generator).install
        end

        private

        def include_into_application_job
          if @generator.send(:ours_or_absent?, PATH)
            @generator.send(:own_file, "application_job.rb.tt", PATH)
          elsif @generator.behavior == :revoke || !@generator.send(:read, PATH).include?("RAAF::Streaming::AgentJob")
            @generator.inject_into_class PATH, "ApplicationJob", INCLUDED
          end
        end
      end
    end
  end
end
