# frozen_string_literal: true

require "capybara"
require "capybara/cuprite"

# Debian's Chromium, headless, as Capybara sessions: one for each user and tab. Chromium takes seconds to start, so a
# session that is closed is used again, with nothing of what it had seen.
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
  # @return [Capybara::Session] {close} it
  def open(url)
    register
    (idle.pop || Capybara::Session.new(:raaf_chromium)).tap do |session|
      session.config.app_host = url
      session.config.default_max_wait_time = PATIENCE
    end
  end

  # @param session [Capybara::Session]
  # @return [void]
  def close(session)
    session.reset!
    idle << session
  rescue Ferrum::Error, Capybara::CapybaraError
    session.quit
  end

  # @return [void]
  def quit
    idle.each(&:quit).clear
  end

  def idle
    @idle ||= []
  end

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
