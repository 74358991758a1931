# frozen_string_literal: true

# Has a job answer; the HTTP answer is the acknowledgement.
class AsksController < ApplicationController
  skip_forgery_protection

  def create
    service = AsyncAgentService.new(user: User.find(session[:user_id]))
    render json: {session_id: service.start_async_chat(params[:message])}, status: :accepted
  end
end
