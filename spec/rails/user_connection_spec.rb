# frozen_string_literal: true

# Its examples are in spec/rails/files/app/spec/channels: they need Action Cable's test helpers, so the application runs
# them.
RSpec.describe "The generated connection" do
  it "knows users as Rails applications know theirs, and turns strangers away" do
    output = AppBuilder.guide.run("bundle", "exec", "rspec", "spec/channels/connection_spec.rb",
      env: {"RAILS_ENV" => "test"})
    expect(output).to match(/^5 examples, 0 failures$/)
  end
end
