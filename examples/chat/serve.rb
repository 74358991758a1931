# frozen_string_literal: true

# Serves the page on loopback until Ctrl-C. PORT is where; without it 3000, or another one where that is taken.
require_relative "config/environment"
require "puma"
require "puma/configuration"
require "puma/launcher"
require "socket"

def port_for(wanted)
  TCPServer.open("127.0.0.1", wanted) { |server| server.addr[1] }
rescue Errno::EADDRINUSE
  TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
end

port = Integer(ENV.fetch("PORT") { port_for(3000) })
ActiveRecord::Tasks::DatabaseTasks.prepare_all

server = Puma::Configuration.new do |config|
  config.bind "tcp://127.0.0.1:#{port}"
  config.threads 1, 8
  config.environment Rails.env
  config.app Rails.application
  config.raise_exception_on_sigterm false
end
launcher = Puma::Launcher.new(server, log_writer: Puma::LogWriter.null)
launcher.events.on_booted do
  if Rails.configuration.x.model_server
    puts "[OPENAI_API_KEY is not set: answers come from a model server on this machine]"
  end
  puts "The chat is at http://127.0.0.1:#{port} (Ctrl-C ends it)"
  $stdout.flush
end
launcher.run
