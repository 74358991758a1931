# frozen_string_literal: true

module RAAF
  module Streaming
    class CollaborativeSession
      # Who takes part: all that frames and the model ever learn of a user.
      Participant = Struct.new(:id, :name) do
        # @implements Participant

        # @param user [#id, Hash, Participant] an object with id and name, or a Hash with both
        # @return [Participant] frozen
        # @raise [ArgumentError] without an id
        def self.of(user)
          return user if user.is_a?(self)

          id, name = user.is_a?(Hash) ? read_hash(user) : read(user)
          raise ArgumentError, "a participant needs an id (and a name)" if id.nil?

          new(id, (name || id).to_s.dup.freeze).freeze
        end

        # @return [String] by which it is found: an id may come from a record, or from a request
        # @api private
        def key
          id.to_s
        end

        # @api private
        def self.read_hash(user)
          %i[id name].map { |key| user.fetch(key) { user[key.to_s] } }
        end

        # @api private
        def self.read(user)
          %i[id name].map { |key| user.public_send(key) if user.respond_to?(key) }
        end
        private_class_method :read_hash, :read
      end
    end
  end
end
