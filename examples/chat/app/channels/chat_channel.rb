# frozen_string_literal: true

# Takes a guest's questions; each chunk of the answers goes to all of the guest's tabs.
class ChatChannel < ApplicationCable::Channel
  def subscribed
    stream_from place
    @answers = AgentService.new(user: current_user, session_id: current_user.id)
  end

  def unsubscribed
    @answers&.cleanup
  end

  def chat(data)
    show_question(data)
    @answers.stream_chat(data["message"]) { |chunk| send_chunk(chunk) }
  rescue RAAF::Errors::Error, ArgumentError => e
    ActionCable.server.broadcast(place, {type: "agent_error", error: e.message})
  end

  private

  def place
    "chat_#{current_user.id}"
  end

  # In all of the guest's tabs; request_id is what the browser calls the question.
  def show_question(data)
    ActionCable.server.broadcast(place,
      {type: "asked", text: data["message"], request_id: data.dig("raaf", "request_id")})
  end

  def send_chunk(chunk)
    ActionCable.server.broadcast(place,
      {type: "agent_chunk", chunk_type: chunk.type, content: chunk.delta, metadata: chunk.metadata})
  end
end
