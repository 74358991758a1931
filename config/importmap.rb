# frozen_string_literal: true

# The browser's side of this gem, for applications with importmap-rails; the engine adds it to theirs.
pin "raaf_streaming", to: "raaf_streaming/index.js"
%w[answers bubbles channel consumer controls envelopes events frames memory outbox recovery streaming uuid
  watch writer].each do |name|
  pin "raaf_streaming/#{name}", to: "raaf_streaming/#{name}.js"
end
