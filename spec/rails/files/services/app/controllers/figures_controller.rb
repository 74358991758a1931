# frozen_string_literal: true

# The guide's StreamingAnalyticsService beside streams, and what the guide's initializer has set.
class FiguresController < ApplicationController
  SETTINGS = %i[chunk_buffer_size chunk_buffer_timeout connection_pool_size connection_timeout async_chunk_processing
    chunk_processing_queue max_concurrent_streams stream_timeout].freeze

  def stream
    chunks = []
    figures.record_stream_started("session", 1, "Assistant")
    RAAF::Streaming::AsyncRunner.new(agent: RAAF::Agent.new(name: "Assistant", model: "gpt-4o"))
      .run_and_stream(params[:words]) do |chunk|
      chunks << chunk.delta
      figures.record_chunk_sent("session", chunk.delta.length, chunk.type)
    end
    figures.record_stream_completed("session", chunks.size, 2.5)
    render json: {chunks: chunks}
  end

  def summary
    render json: figures.get_analytics_summary
  end

  def settings
    render json: SETTINGS.to_h { |name| [name, RAAF::Streaming.configuration.public_send(name)] }
  end

  private

  def figures
    StreamingAnalyticsService.instance
  end
end
