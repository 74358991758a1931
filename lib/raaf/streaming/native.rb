# frozen_string_literal: true

require_relative "../errors"

begin
  require_relative "raaf_streaming"
rescue LoadError => e
  raise unless File.basename(e.path.to_s).start_with?("raaf_streaming")

  raise LoadError, "raaf-streaming's native extension is not usable (#{e.message}). " \
                   "In a checkout, run: bundle exec rake compile. " \
                   "As a gem, install libcurl and yajl with their headers (Debian: libcurl4-openssl-dev " \
                   "libyajl-dev), then: gem pristine raaf-streaming"
end
