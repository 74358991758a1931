# frozen_string_literal: true

# Sets environment variables for the length of a block; nil removes one.
module EnvironmentHelpers
  def with_env(variables)
    before = variables.keys.to_h { |name| [name, ENV[name]] }
    variables.each { |name, value| ENV[name] = value }
    yield
  ensure
    before.each { |name, value| ENV[name] = value }
  end
end

RSpec.configure { |config| config.include EnvironmentHelpers }
