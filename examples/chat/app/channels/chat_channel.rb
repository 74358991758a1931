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
    question = Question.create!(session_id: current_user.id, request_id: raaf_request_id,
      text: data["message"].to_s)
    send_out type: "asked", text: question.text, request_id: question.request_id
    @answers.stream_chat(question.text) { |chunk| send_chunk(chunk, question) }
  rescue RAAF::Errors::Error, ArgumentError => e
    question&.destroy
    send_out type: "agent_error", error: e.message
  end

  private

  def place
    "chat_#{current_user.id}"
  end

  def send_chunk(chunk, question)
    question.destroy if chunk.terminal?
    send_out type: "agent_chunk", chunk_type: chunk.type, content: chunk.delta, metadata: chunk.metadata
  end

  def send_out(message)
    ActionCable.server.broadcast(place, message)
  end
end
