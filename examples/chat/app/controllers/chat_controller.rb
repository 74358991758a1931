# frozen_string_literal: true

# The page. It shows what was said before; what is being said comes by ChatChannel.
class ChatController < ApplicationController
  before_action :name_guest

  def show
    @messages = Message.shown(cookies.signed[:guest])
    @questions = Question.where(session_id: cookies.signed[:guest]).order(:id)
  end

  def destroy
    [Message, Question].each { |model| model.where(session_id: cookies.signed[:guest]).delete_all }
    redirect_to root_path, status: :see_other
  end

  private

  def name_guest
    id = cookies.signed[:guest] || SecureRandom.uuid
    cookies.signed[:guest] = {value: id, httponly: true, same_site: :lax, expires: 30.days}
  end
end
