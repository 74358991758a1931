# frozen_string_literal: true

# What one or the other spec wants otherwise than the initializer before has it.
if (size = ENV["CHUNK_BUFFER_SIZE"])
  RAAF::Streaming.configure { |config| config.chunk_buffer_size = Integer(size) }
end
