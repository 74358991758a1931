# frozen_string_literal: true

# For the specs that generate a Rails application and drive it from outside: `bundle exec rake spec:rails`, or for one
# file `bundle exec rspec -O spec/rails/.rspec spec/rails/…`. Rails itself is never loaded into this process.

require_relative "../spec_helper"
require_relative "support/guide"
require_relative "support/rails_app"
require_relative "support/app_builder"
require_relative "support/app_server"
require_relative "support/backing"
require_relative "support/browser"
require_relative "support/cable_client"
require_relative "support/driven_app"
require_relative "support/job_worker"
require_relative "support/guide_page"
require_relative "support/proxy"
require_relative "support/running_app"

# What takes long is run by `bin/test --deep`.
RSpec.configure do |config|
  config.filter_run_excluding(deep: true) unless ENV["RAAF_DEEP"]
  config.after(:suite) do
    Browser.quit
    RunningApp.stop_shared
  end
end
