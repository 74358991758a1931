# frozen_string_literal: true

# A reader's own, which has jobs answer.
class AskChannel < ApplicationCable::Channel
  def subscribed
    stream_from "agent_#{current_user.id}"
  end

  def ask(data)
    AsyncAgentService.new(user: current_user).start_async_chat(data["message"], priority: data["priority"].to_sym)
  end
end
