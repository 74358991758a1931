# frozen_string_literal: true

require "capybara"
require "capybara/cuprite"

# Debian's Chromium, headless, as Capybara sessions: one for each server and tab.
module Browser
  PROGRAMS = %w[chromium chromium-browser google-chrome].freeze
  # Seconds for which Capybara looks again for what is not on a page yet.
  PATIENCE = ENV["RAAF_SLOW"] ? 60 : 15

  module_function

  # @return [String] its path
  # @raise [RuntimeError] names the package
  def program
    @program ||= ENV.fetch("PATH").split(File::PATH_SEPARATOR).product(PROGRAMS)
      .map { |folder, name| File.join(folder, name) }.find { |file| File.executable?(file) } or
      raise "Chromium is missing: bin/setup installs it (Debian: apt-get install chromium)"
  end

  # @param url [String] of the server
  # @return [Capybara::Session] quit it
  def open(url)
    register
    Capybara::Session.new(:raaf_chromium).tap do |session|
      session.config.app_host = url
      session.config.default_max_wait_time = PATIENCE
    end
  end

  # What the page's console has said, for a failure.
  def register
    return if Capybara.drivers[:raaf_chromium]

    options = {"disable-gpu" => nil, "disable-dev-shm-usage" => nil}
    options["no-sandbox"] = nil if Process.uid.zero? # Chromium's sandbox refuses root
    Capybara.threadsafe = true
    Capybara.run_server = false
    Capybara.register_driver(:raaf_chromium) do |app|
      Capybara::Cuprite::Driver.new(app, browser_path: program, headless: true, process_timeout: 60, timeout: 30,
        js_errors: true, browser_options: options)
    end
  end
end
