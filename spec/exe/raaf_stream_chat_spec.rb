# frozen_string_literal: true

require "pty"
require "raaf/testing"
require_relative "command"
require_relative "test_terminal"

RSpec.describe "raaf-stream chat" do
  include Command

  let(:server) { RAAF::Testing::ModelServer.start }
  let(:env) { {"OPENAI_API_KEY" => "sk-spec", "OPENAI_BASE_URL" => nil, "NO_PROXY" => "127.0.0.1"} }

  after { server.stop }

  def chat(*arguments, **options)
    run_command("chat", "--base-url", server.base_url, *arguments, env: env, **options)
  end

  describe "with a prompt" do
    it "writes the answer and nothing else" do
      server.script(deltas: ["Hel", "lo\e[1m"], reasoning: ["Hm"], usage: true)

      expect(chat("Say", "hello")).to eq(["Hello\e[1m\n", "", 0])
    end

    it "asks as it is told" do
      server.script(deltas: ["Hi"])
      chat("--model", "small", "--instructions", "Be brief.", "Say", "hello")

      expect(server.requests.first.json).to include(model: "small", stream: true, messages: [
        {role: "system", content: "Be brief."}, {role: "user", content: "Say hello"}
      ])
      expect(server.requests.first.headers["authorization"]).to eq("Bearer sk-spec")
    end

    it "says which key the provider of another model wants" do
      _, err, status = run_command("chat", "--model", "claude-sonnet-4-5", "Hello",
        env: env.merge("ANTHROPIC_API_KEY" => nil, "ANTHROPIC_AUTH_TOKEN" => nil))

      expect(status).to eq(1)
      expect(err).to include("ANTHROPIC_API_KEY")
    end

    it "asks the provider that the model's name stands for" do
      server.script(deltas: ["Hi"])
      address = server.base_url.delete_suffix("/v1")
      there = env.merge("ANTHROPIC_API_KEY" => "sk-ant-spec", "ANTHROPIC_BASE_URL" => address)

      expect(run_command("chat", "--model", "anthropic/claude-x", "Hello", env: there)).to eq(["Hi\n", "", 0])
      expect(server.requests.first.path).to eq("/v1/messages")
      expect(server.requests.first.json[:model]).to eq("claude-x")
    end

    it "takes the server from the environment, and needs no key for one that is named" do
      server.script(deltas: ["Hi"])
      named = env.merge("OPENAI_API_KEY" => nil, "OPENAI_BASE_URL" => server.base_url)

      expect(run_command("chat", "Hello", env: named)).to eq(["Hi\n", "", 0])
    end

    it "says in one line what went wrong and what to do, without the key" do
      server.script(status: 401, body: {error: {message: "Bad key\nsk-spec"}})
      out, err, status = chat("Hello")

      expect([out, status]).to eq(["", 1])
      expect(err).to match(/\Araaf-stream: [^\n]*API key[^\n]*\n\z/)
      expect(err).not_to include("sk-spec")
    end

    it "keeps what came before an error" do
      server.script(deltas: ["Hel"], fault: :cut, after: 2)
      out, err, status = chat("Hello")

      expect([out, status]).to eq(["Hel", 1])
      expect(err.lines.size).to eq(1)
    end

    it "is stopped by Ctrl-C: the line is ended, and so is the request" do
      server.script(deltas: ["Hel"], fault: :stall, after: 2)
      status = start_command("chat", "--base-url", server.base_url, "Hello", signal: "INT") do |output|
        expect(output.readpartial(100)).to eq("Hel")
      end

      expect(status).to eq(130)
      server.wait_for_close(server.requests.first)
    end

    it "is quiet when nobody reads any more" do
      server.script(deltas: (1..).lazy.map { |number| "line #{number}\n" }, delay: 0.001)
      first, err, status = nil
      command = [RbConfig.ruby, Command::EXECUTABLE, "chat", "--base-url", server.base_url, "Hi"]
      Open3.popen3(env, *command) do |_, output, errors, process|
        first = output.gets
        output.close
        err = errors.read
        status = process.value.exitstatus
      end

      expect([first, err, status]).to eq(["line 1\n", "", 0])
      server.wait_for_close(server.requests.first)
    end
  end

  describe "without a key and a server" do
    it "says how to try it" do
      out, err, status = run_command("chat", "Hello", env: env.merge("OPENAI_API_KEY" => nil))

      expect([out, status]).to eq(["", 1])
      expect(err).to include("OPENAI_API_KEY", "raaf-stream serve", "--base-url").and match(/\A[^\n]+\n\z/)
    end
  end

  describe "with text on stdin" do
    it "asks that, as UTF-8 whatever the locale is" do
      server.script(deltas: ["Ünïcode"])
      out, = run_command("chat", "--base-url", server.base_url, input: "Grüße\n", env: env.merge("LC_ALL" => "C"))

      expect(out.force_encoding("UTF-8")).to eq("Ünïcode\n")
      expect(server.requests.first.json[:messages].last[:content]).to eq("Grüße")
    end

    it "refuses an empty one with status 2" do
      out, err, status = chat(input: " \n")

      expect([out, err.lines.size, status]).to eq(["", 1, 2])
    end
  end

  describe "in a terminal" do
    # A machine in a folder (chroot) may have none to give.
    def pseudo_terminals?
      PTY.open { true }
    rescue RuntimeError, SystemCallError
      false
    end

    before { skip "this machine has no pseudo-terminals" unless pseudo_terminals? }

    # @yieldparam terminal [TestTerminal]
    # @return [Integer] exit status
    def terminal(*arguments, term: "dumb")
      command = [RbConfig.ruby, Command::EXECUTABLE, "chat", "--base-url", server.base_url, *arguments]
      status = nil
      PTY.spawn(env.merge("TERM" => term), *command) do |screen, keyboard, pid|
        within_patience(pid) do
          yield TestTerminal.new(screen, keyboard)
          status = Process.wait2(pid).last.exitstatus
        end
      end
      status
    end

    it "shows the time while it waits, takes it away, and then says how fast the answer was" do
      gate = Queue.new
      server.script do |_request, response|
        wire = RAAF::Testing::OpenAIChatWire.new
        response.start(200, "content-type" => "text/event-stream")
        gate.pop
        [wire.content("He"), wire.content("llo"), wire.finish, wire.done].each { |event| response.write(event) }
      end
      shown = nil
      status = terminal("Hi") do |terminal|
        terminal.see(/waiting \d\.\d s/)
        gate << true
        shown = terminal.see_all
      end

      expect(shown).to match(/\r\e\[KHello\r\n\[first token \d+\.\d\d s, .*2 tokens\]\r\n\z/)
      expect(status).to eq(0)
    end

    it "shows neither with --no-status" do
      server.script(deltas: %w[He llo])
      shown = nil
      terminal("--no-status", "Hi") { |terminal| shown = terminal.see_all }

      expect(shown).to eq("Hello\r\n")
    end

    it "lets no model write to the terminal but text" do
      server.script(deltas: ["a\e", "[31mb\u0007\u009b", "c\td\n"])
      shown = nil
      terminal("--no-status", "Hi") { |terminal| shown = terminal.see_all }

      expect(shown.delete("\r")).to match(/\Aa\[31mbc( +|\t)d\n\z/)
    end

    it "goes on asking, and remembers what was said" do
      server.script(deltas: ["First answer"]).script(status: 400).script(deltas: ["Second answer"])
      status = terminal("--no-status") do |terminal|
        terminal.see(/> /)
        terminal.type("first question\r")
        terminal.see(/First answer\r\n.*> /m)
        terminal.type("failing question\r")
        terminal.see(/raaf-stream: .*\r\n.*> /m)
        terminal.type("second question\r")
        terminal.see(/Second answer\r\n.*> /m)
        terminal.type("\x04")
        terminal.see_all
      end

      expect(status).to eq(0)
      expect(server.requests.last.json[:messages].map { |message| message.values_at(:role, :content) }).to eq(
        [["user", "first question"], ["assistant", "First answer"], ["user", "second question"]]
      )
    end

    it "stops the answer at the first Ctrl-C, keeps what was said, and ends at the second one in a row" do
      server.script(deltas: ["Partial"], fault: :stall, after: 2).script(deltas: ["Whole"])
      status = terminal("--no-status") do |terminal|
        terminal.see(/> /)
        terminal.type("question\r")
        terminal.see(/Partial/)
        terminal.type("\x03")
        terminal.see(/\(stopped\)\r\n.*> /m)
        terminal.type("go on\r")
        terminal.see(/Whole\r\n.*> /m)
        terminal.type("\x03")
        terminal.see(/Ctrl-C again.*> /m)
        terminal.type("\x03")
        terminal.see_all
      end

      expect(status).to eq(0)
      server.wait_for_close(server.requests.first)
      expect(server.requests.last.json[:messages].map { |message| message[:content] })
        .to eq(["question", "Partial", "go on"])
    end

    it "lets the line be edited, and brings back earlier ones, where the terminal can" do
      server.default_script(deltas: ["Answer"])
      status = terminal("--no-status", term: "xterm") do |terminal|
        terminal.see(/> /)
        terminal.type("first\x7f\x7fe\r") # backspace
        terminal.see(/Answer\r\n.*> /m)
        terminal.type("\e[A\r") # arrow up
        terminal.see(/Answer\r\n.*> /m)
        terminal.insist("\x04")
      end

      expect(status).to eq(0)
      expect(server.requests.map { |request| request.json[:messages].last[:content] }).to eq(%w[fire fire])
    end
  end
end
