# frozen_string_literal: true

module ApplicationCable
  class Connection < ActionCable::Connection::Base
    include RAAF::Streaming::UserConnection

    private

    def find_user
      id = cookies.signed[:guest]
      Guest.new(id) if id
    end
  end
end
