# frozen_string_literal: true

# The browser's side of this gem, for applications with importmap-rails; the engine adds it to theirs.
pin "raaf_streaming", to: "raaf_streaming/index.js"
%w[answers bubbles consumer envelopes frames outbox].each do |name|
  pin "raaf_streaming/#{name}", to: "raaf_streaming/#{name}.js"
end
