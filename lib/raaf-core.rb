# frozen_string_literal: true

# Stands in for the gem raaf-core where that is not installed, so that `require "raaf-core"` is enough to stream. Where
# it is installed, or another file of this name is on the load path, that one is loaded, and then this gem.
require_relative "raaf-streaming"
