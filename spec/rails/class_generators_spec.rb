# frozen_string_literal: true

require "raaf/testing"
require_relative "support/generators"

RSpec.describe "rails generate raaf:streaming:agent and raaf:streaming:tool" do
  include Generators

  # An application with RSpec, made once.
  before(:context) do
    @with_rspec = AppBuilder.stage("rspec-fresh", AppBuilder.fresh.root) do |root|
      AppBuilder.take(AppBuilder.fresh, root).rails("generate", "rspec:install")
    end
  end

  def with_rspec(&block)
    AppBuilder.copy(@with_rspec, &block)
  end

  it "makes classes that Rails finds, that ask the model and are called by it" do
    model = RAAF::Testing::ModelServer.start
    model.script(tool_calls: [{name: "forecast", id: "call_1", arguments: {city: "Rome", days: 2}}])
    model.script(deltas: ["It is blue."])
    AppBuilder.copy(AppBuilder.fresh) do |app|
      generate(app, "tool forecast days:integer:optional city:string",
        %q(agent WeatherAgent --tools=forecast --model=gpt-4o-mini --instructions='Say "hello" to #{nobody}.'))
      said = app.rails("runner", "puts WeatherAgent.new.run('Rome?').final_output; Rails.application.eager_load!",
        env: {"OPENAI_BASE_URL" => model.base_url, "OPENAI_API_KEY" => "sk-none"})
      expect(said.lines.last.chomp).to eq("It is blue.")
    end

    first, second = model.requests.map(&:json)
    expect(first).to include(model: "gpt-4o-mini")
    expect(first[:messages].first).to eq({role: "system", content: "Say \"hello\" to \#{nobody}.\n"})
    expect(first[:tools].first[:function]).to include(name: "forecast", parameters: {
      type: "object", required: ["city"], additionalProperties: false,
      properties: {city: {type: "string", description: "City"}, days: {type: "integer", description: "Days"}}
    })
    expect(JSON.parse(second[:messages].last[:content])).to eq({"city" => "Rome", "days" => 2})
  ensure
    model&.stop
  end

  it "makes specs of them, which pass, and destroy leaves the application as it was" do
    with_rspec do |app|
      before = app.files
      commands = ["agent search/librarian --tools search/library_book clock", "tool clock",
        "tool search/library_book text:string count:integer:optional share:number sure:boolean tags:array more:object"]
      expect(generate(app, *commands)).to include("search/library_book_tool.rb is not there yet: rails generate")
      expect(app.files.keys - before.keys).to match_array(%w[
        app/agents/search/librarian_agent.rb app/tools/clock_tool.rb app/tools/search/library_book_tool.rb
        spec/agents/search/librarian_agent_spec.rb spec/tools/clock_tool_spec.rb
        spec/tools/search/library_book_tool_spec.rb
      ])
      expect(app.run("bundle", "exec", "rspec", env: {"RAILS_ENV" => "test"})).to include("5 examples, 0 failures")

      generate(app, *commands, revoke: true)
      expect(app.files).to eq(before)
      expect(%w[app/agents app/tools spec/agents spec/tools].select { |name| Dir.exist?(app.path(name)) }).to eq([])
    end
  end

  it "changes nothing the second time, nor what has been changed since, nor where it only pretends" do
    with_rspec do |app|
      before = app.files
      generate(app, "agent support --pretend", "tool clock --pretend")
      expect(app.files).to eq(before)

      generate(app, "agent support")
      app.replace("app/agents/support_agent.rb", "You are a helpful assistant.", "Be brief.")
      made = app.files
      generate(app, "agent support_agent")
      generate(app, "agent support --pretend", revoke: true)
      expect(app.files).to eq(made)
    end
  end

  it "says what is wrong with a name or an argument, and makes nothing" do
    AppBuilder.copy(AppBuilder.fresh) do |app|
      app.write("app/models/rail_agent.rb", "class RailAgent\nend\n")
      before = app.files
      wrong = {"agent 1st" => /"1st" cannot be the name of a class/,
               "agent ../../up" => /"..\/..\/up" cannot be the name of a class/,
               "agent rail" => /'RailAgent' is either already used/,
               "tool weather city:text" => /city: the types are string, integer, .*, not "text"/,
               "tool weather class:string" => /"class" cannot be an argument's name/,
               "tool weather city:string:some" => /is not name:type or name:type:optional/,
               "tool weather city city:integer" => /several arguments are called city/}
      said = generate(app, *wrong.keys)

      expect(wrong.values.reject { |words| said.match?(words) }).to eq([])
      expect(app.files).to eq(before)
    end
  end
end
