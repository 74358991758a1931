# frozen_string_literal: true

module RAAF
  class << self
    # Who answers for agents that name no provider themselves; nil: chosen by the model's name. A call's, a runner's
    # and an agent's provider come first. A test puts its mock here.
    #
    # Neither method is defined where raaf-core has one of that name.
    #
    # @!attribute [rw] provider
    #   @return [#build_request, nil] default nil
    attr_reader :provider unless method_defined?(:provider)
    attr_writer :provider unless method_defined?(:provider=)
  end
end
