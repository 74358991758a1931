# frozen_string_literal: true

# For `expect { … }.to raise_error(…).and(not_change { … })`.
RSpec::Matchers.define_negated_matcher :not_change, :change

# For `expect(hash).to include(…).and not_include(…)`.
RSpec::Matchers.define_negated_matcher :not_include, :include

# For `all(not_match(/…/).and(…))`.
RSpec::Matchers.define_negated_matcher :not_match, :match
