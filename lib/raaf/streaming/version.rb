# frozen_string_literal: true

# Ruby AI Agents Factory. This gem is its streaming part; raaf-core, where it is installed, is the rest.
module RAAF
  # Streams answers from AI models: a native thread does the work, Ruby sees ready-made chunks.
  module Streaming
    # The gem's version, as the gemspec and the User-Agent header have it.
    VERSION = "0.1.0"
  end
end
