# frozen_string_literal: true

# A channel that knows nothing of streams.
class ProbeChannel < ApplicationCable::Channel
  def subscribed
    reject if params[:closed]
    stream_from("probe_#{current_user.id}", coder: ActiveSupport::JSON) { |message| transmit({handled: message}) }
  end

  def fail
    raise "nobody rescues this"
  end

  def count(_data)
    transmit({count: @count = @count.to_i + 1})
  end
end
