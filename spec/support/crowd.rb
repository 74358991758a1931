# frozen_string_literal: true

require_relative "guide_services"

# Runs a script where the shipped channel for sessions is served to browsers: see spec/fixtures/crowd/world.rb.
module Crowd
  include GuideServices

  WORLD = File.expand_path("../fixtures/crowd/world.rb", __dir__)

  # @param server [RAAF::Testing::ModelServer]
  # @param script [String]
  # @param guide [String, nil] the heading in the guide below which the code stands that comes first
  # @return [Hash{Symbol=>Object}] what the script has reported
  def run_with_browsers(server, script, guide: nil)
    run_with_cable(server, "#{GuideServices.code(guide) if guide}\n#{script}", prelude: WORLD)
  end
end
