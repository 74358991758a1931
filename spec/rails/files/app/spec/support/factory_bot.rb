# frozen_string_literal: true

RSpec.configure { |config| config.include FactoryBot::Syntax::Methods }
