# frozen_string_literal: true

# A message of a conversation, as it goes to the model: body has role, content and what else there is.
class Message < ApplicationRecord
  # What the page shows of a conversation: who said what.
  def self.shown(session_id)
    where(session_id: session_id).order(:id).filter_map do |message|
      role, content = message.body.values_at("role", "content")
      [role, content] if %w[user assistant].include?(role) && content.present?
    end
  end
end
