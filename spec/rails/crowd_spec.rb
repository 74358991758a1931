# frozen_string_literal: true

require "json"
require "raaf/testing"

# Several users: what Rails keeps for one of them, and the guide's collaborative session in browsers.
RSpec.describe "Several users of a Rails application" do
  context "whose streams run on threads of the gem's" do
    script = <<~RUBY
      require "raaf/testing"
      class Current < ActiveSupport::CurrentAttributes
        attribute :user
      end
      server = RAAF::Testing::ModelServer.start
      provider = RAAF::Models::OpenAIProvider.new(api_key: "k", base_url: server.base_url)
      seen = Queue.new
      tool = RAAF::Streaming::Tool.new(name: "look") { seen << ["tool", Current.user] }
      agent = RAAF::Agent.new(name: "A", model: "gpt-4o", tools: [tool])
      runner = RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider)
      bus = RAAF::Streaming::EventBus.new
      bus.on(:chunk) { |event| seen << ["handler", Current.user, event[:of]] }

      streams = Array.new(8) do |i|
        server.script(tool_calls: [{name: "look", id: "call_1", arguments: {}}]) if i.zero?
        server.script(deltas: %w[a b])
        Current.set(user: "user \#{i}") do
          runner.stream("Hi").on do
            seen << ["callback", Current.user, "user \#{i}"]
            bus.emit(:chunk, of: "user \#{i}")
          end
        end.tap { |stream| stream.wait(30) if i.zero? }
      end
      streams.each { |stream| stream.wait(30) }
      bus.emit(:chunk, of: nil)
      bus.drain(30)
      puts JSON.generate(Array.new(seen.size) { seen.pop }.uniq)
    RUBY

    it "has callbacks, tools and handlers see the CurrentAttributes of the one who has asked, and nobody else's" do
      users = Array.new(8) { |i| "user #{i}" }
      AppBuilder.copy(AppBuilder.fresh) do |app|
        app.write("seen.rb", script)
        seen = JSON.parse(app.rails("runner", "seen.rb").lines.last).group_by(&:first)
        expect(seen["tool"]).to eq([["tool", "user 0"]])
        expect(seen["callback"]).to match_array(users.map { |user| ["callback", user, user] })
        expect(seen["handler"]).to match_array([*users, nil].map { |user| ["handler", user, user] })
      end
    end
  end

  context "in one session of the guide's CollaborativeAgentService" do
    controller = <<~RUBY
      # One session, for all who come.
      class RoomsController < ApplicationController
        SERVICE = CollaborativeAgentService.new(session_id: "7")

        def join = SERVICE.add_participant(user) && head(:ok)
        def leave = SERVICE.remove_participant(user) && head(:ok)
        def say = SERVICE.submit_message(user, params[:words]) || head(:ok)

        private

        def user = User.find(session[:user_id])
      end
    RUBY

    # What comes to the page, as it comes to the application's code.
    subscribe = <<~JS
      const [params, done] = arguments
      import("/assets/consumer").then(({ default: consumer }) => {
        window.came = []
        consumer.subscriptions.create({ channel: "RAAF::Streaming::SessionChannel", ...params }, {
          connected: () => done("connected"),
          rejected: () => { window.rejected = true; done("rejected") },
          received: (frame) => window.came.push(frame)
        })
      })
    JS

    # A page, with what it has heard.
    def tab(user)
      open_browser.tap { |page| page.visit("/sign_in/#{user}") }
    end

    define_method(:subscribe) do |page, **params|
      page.evaluate_async_script(subscribe, params)
    end

    def get(page, path)
      page.evaluate_async_script("fetch(arguments[0]).then(r => arguments[1](r.status))", path)
    end

    def came(page)
      page.evaluate_script("window.came")
    end

    def answers(page)
      came(page).select { |frame| frame["chunk_type"] == "content" }.map { |frame| frame["content"] }.join
    end

    def wait_until
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + Browser::PATIENCE * 2
      until yield
        raise "it did not come to that" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

        sleep 0.05
      end
    end

    def open_browser
      Browser.open(@server.url).tap { |session| (@sessions ||= []) << session }
    end

    before(:context) do
      next unless Guide.here?

      @model = RAAF::Testing::ModelServer.start
      @app = AppBuilder.take(AppBuilder.guide, File.join(AppBuilder::FOLDER, "crowd-#{Process.pid}"))
      path = "app/services/collaborative_agent_service.rb"
      @app.write(path, Guide.file(path))
      @app.write("app/controllers/rooms_controller.rb", controller)
      @app.replace("config/routes.rb", "Rails.application.routes.draw do\n",
        "Rails.application.routes.draw do\n  get \"room/:action\", controller: \"rooms\"\n")
      @app.write("config/initializers/members.rb",
        "Rails.application.config.to_prepare { CollaborativeAgentService.prepend(RAAF::Streaming::KeepsMembers) }\n")
      @server = AppServer.new(@app, env: {"OPENAI_BASE_URL" => @model.base_url, "OPENAI_API_KEY" => "sk-none"})
    end

    after(:context) do
      @server&.stop
      @model&.stop
      FileUtils.rm_rf(@app.root) if @app
    end

    before { skip Guide::ABSENT unless Guide.here? }

    after do |example|
      puts @server.logs if example.exception && @server
      @sessions&.each(&:quit)
    end

    it "shows everybody each answer once, in order, in every tab; strangers nothing, and one who leaves no more" do
      @model.script(deltas: Array.new(60) { |i| "word#{i} " }, delay: 0.005)
      @model.script(deltas: ["Later."])
      tabs = [1, 1, 2, 2].map { |user| tab(user) }
      tabs.values_at(0, 2).each { |page| expect(get(page, "/room/join")).to eq(200) }
      expect(tabs.map { |page| subscribe(page, session_id: "7") }).to eq(["connected"] * 4)
      expect(subscribe(tab(3), session_id: "7")).to eq("rejected")

      get(tabs.first, "/room/say?words=One")
      whole = Array.new(60) { |i| "word#{i} " }.join
      wait_until { tabs.all? { |page| answers(page).size >= whole.size } }
      expect(tabs.map { |page| answers(page) }).to eq([whole] * 4)

      get(tabs.last, "/room/leave")
      wait_until { tabs.last(2).all? { |page| page.evaluate_script("window.rejected === true") } }
      get(tabs.first, "/room/say?words=Two")
      wait_until { tabs.first(2).all? { |page| answers(page).end_with?("Later.") } }
      expect(tabs.map { |page| answers(page) }).to eq([*["#{whole}Later."] * 2, *[whole] * 2])
    end
  end
end
