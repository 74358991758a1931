# frozen_string_literal: true

# What the generator does for jobs, in applications that have a worker by its gem's own installer.
RSpec.describe "rails generate raaf:streaming:install, for jobs" do
  command = "raaf:streaming:install"
  parts = {sidekiq: {cable: :redis, jobs: :sidekiq}, solid_queue: {cable: :solid_cable, jobs: :solid_queue}}

  before(:context) { parts.each_value { |each| AppBuilder.installed(**each) } } # which takes a while

  # @return [Array<String>] names of the files that differ
  def changes(before, after)
    (before.keys | after.keys).reject { |name| before[name] == after[name] }
  end

  {sidekiq: "config/sidekiq.yml", solid_queue: "config/queue.yml"}.each do |kind, file|
    it "has #{kind} take the queues, once, and destroy leaves the application as it was" do
      AppBuilder.copy(AppBuilder.installed(**parts.fetch(kind))) do |app|
        installed = app.files
        expect(app.read(file).scan("priority_streaming").size).to eq(1)
        expect(app.read("app/jobs/application_job.rb")).to include("include RAAF::Streaming::AgentJob")
        app.rails("generate", command)
        expect(changes(installed, app.files)).to eq([])

        app.rails("destroy", command)
        expect(changes(AppBuilder.fresh(**parts.fetch(kind)).files, app.files)).to eq([])
      end
    end
  end

  it "makes the class that jobs inherit from where there is none, leaves one alone that has it, and no trace" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      FileUtils.rm_rf(app.path("app/jobs"))
      app.rails("generate", command)
      asked = "puts ApplicationJob.superclass, ApplicationJob.include?(RAAF::Streaming::AgentJob)"
      expect(app.rails("runner", asked)).to end_with("ActiveJob::Base\ntrue\n")
      app.rails("destroy", command)
      expect(Dir.exist?(app.path("app/jobs"))).to be(false)

      own = "class ApplicationJob < ActiveJob::Base\n  include RAAF::Streaming::AgentJob # mine\nend\n"
      app.write("app/jobs/application_job.rb", own)
      app.rails("generate", command)
      expect(app.read("app/jobs/application_job.rb")).to eq(own)
    end
  end
end
