# frozen_string_literal: true

RAAF::Streaming.configure do |config|
  config.chunk_buffer_size = 50 # characters: fewer, larger frames
  config.chunk_buffer_timeout = 100 # milliseconds
end

# The class is reloaded when it is changed.
Rails.application.config.to_prepare do
  RAAF::Streaming.configure { |config| config.conversation_store = Conversations.new }
end
