# frozen_string_literal: true

# Keeps conversations in the database: what RAAF::Streaming takes as its conversation_store.
class Conversations
  # Messages that the model is reminded of.
  MOST = 100

  def messages(session_id)
    said = Message.where(session_id: session_id).order(id: :desc).limit(MOST).reverse
    said = said.map { |message| message.body.deep_symbolize_keys }
    said.drop_while { |message| message[:role] != "user" } # an answer of a tool's has its question before it
  end

  def append(session_id, messages)
    Message.transaction do
      messages.each { |message| Message.create!(session_id: session_id, body: message) }
    end
  end
end
