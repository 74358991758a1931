# frozen_string_literal: true

ENV["BUNDLE_GEMFILE"] ||= File.expand_path("../../../Gemfile", __dir__)
require "bundler/setup"

require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "action_view/railtie"
require "action_cable/engine"
require "propshaft"
require "importmap-rails"
require "raaf-streaming"

module Chat
  # A chat with an AI model, on SQLite and Action Cable's async adapter: one process, no other server, no key.
  class Application < Rails::Application
    # What it writes goes into the checkout's tmp/, which git does not see, unless CHAT_FOLDER is another folder.
    WRITTEN = Pathname(ENV.fetch("CHAT_FOLDER") { File.expand_path("../../../tmp/chat", __dir__) })

    config.load_defaults 7.1
    config.eager_load = false
    config.consider_all_requests_local = true
    config.secret_key_base = WRITTEN.join("secret").then do |file|
      WRITTEN.mkpath
      file.write(SecureRandom.hex(64), perm: 0o600) unless file.exist?
      file.read
    end
    config.paths["log"] = WRITTEN.join("development.log").to_s
    config.paths["tmp"] = WRITTEN.to_s
    config.action_cable.disable_request_forgery_protection = false
  end
end
