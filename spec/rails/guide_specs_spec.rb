# frozen_string_literal: true

# The guide's spec helper and its three examples, as they stand in the guide, in an application that ran the generator.
RSpec.describe "The guide's own specs" do
  before { skip Guide::ABSENT unless Guide.here? }

  it "pass in the application, run by its own RSpec" do
    app = AppBuilder.guide
    expect(app.read("spec/services/streaming_agent_service_spec.rb"))
      .to eq(Guide.file("spec/services/streaming_agent_service_spec.rb"))

    output = app.run("bundle", "exec", "rspec", "spec/services", env: {"RAILS_ENV" => "test"})
    expect(output).to match(/^3 examples, 0 failures$/)
  end
end
