# frozen_string_literal: true

require "socket"

RSpec.describe RAAF::Streaming::CoreBridge do
  # A provider that has nothing but raaf-core's method.
  def provider(name: "NovelProvider", key: nil, &answer)
    stub_const(name, Class.new do
      def initialize(key, answer)
        @api_key = key
        @answer = answer
      end

      def stream_completion(messages:, model:, tools: nil, &block)
        @answer.call({messages: messages, model: model, tools: tools}, block)
      end
    end).new(key, answer)
  end

  def runner(provider, tools: [])
    agent = RAAF::Agent.new(name: "A", instructions: "Be brief.", model: "m-1", tools: tools)
    RAAF::Streaming::AsyncRunner.new(agent: agent, provider: provider)
  end

  def stream(*pieces, returned: nil)
    chunks = []
    result = runner(provider { |_, out|
      pieces.each(&out) && returned
    }).run_and_stream("Hi") { |chunk| chunks << chunk }
    [chunks, result]
  end

  def bridges
    Thread.list.select { |thread| thread.name.to_s.start_with?("raaf-bridge") }
  end

  def failure(&answer)
    runner(provider(&answer)).run_and_stream("Hi")
  rescue RAAF::Errors::Error => e
    e
  end

  describe "what is asked" do
    it "is the conversation with its instructions, the model, and no tools where there are none" do
      asked = nil
      runner(provider { |question, out| (asked = question) && out.call("x") }).run_and_stream("Hi")
      expect(asked).to eq(messages: [{role: "system", content: "Be brief."}, {role: "user", content: "Hi"}],
        model: "m-1", tools: nil)
    end

    it "has no tools that a method without them would refuse, and nothing of another provider's" do
      plain = Class.new { def stream_completion(messages:, model:) = yield(messages.last.keys.join(" ")) }.new
      message = {role: "user", content: "Hi", parts: {provider: "other", items: []}}
      expect(runner(plain).run_and_stream([message]).text).to eq("role content")
    end

    it "has the tools as OpenAI writes them" do
      asked = nil
      runner(provider { |question, out|
        (asked = question) && out.call("x")
      }, tools: [{name: "f"}]).run_and_stream("Hi")
      expect(asked[:tools]).to eq([{type: "function",
                                    function: {name: "f", parameters: {type: "object", properties: {}}}}])
    end

    it "has the settings that the provider's method takes" do
      taking = Class.new do
        attr_reader :taken

        def stream_completion(messages:, model:, tools: nil, temperature: nil)
          @taken = temperature
          yield "x"
        end
      end.new
      agent = RAAF::Agent.new(name: "A", temperature: 0.3)
      RAAF::Streaming::AsyncRunner.new(agent: agent, provider: taking).run_and_stream("Hi")
      expect(taking.taken).to eq(0.3)
    end

    it "lacks the settings that it does not take, and says so once" do
      log = StringIO.new
      RAAF::Streaming.logger = Logger.new(log)
      agent = RAAF::Agent.new(name: "A", top_p: 0.3)
      novel = provider(name: "OnceProvider#{rand(1_000_000)}") { |_, out| out.call("x") }
      2.times { RAAF::Streaming::AsyncRunner.new(agent: agent, provider: novel).run_and_stream("Hi") }
      expect(log.string.scan("takes no top_p: not sent").size).to eq(1)
    ensure
      RAAF::Streaming.logger = nil
    end

    it "never goes through a proxy" do
      result = runner(provider { |_, out| out.call("x") }).run_and_stream("Hi", proxy: "http://127.0.0.1:1")
      expect(result.text).to eq("x")
    end
  end

  describe "what is answered" do
    it "is text, piece by piece" do
      chunks, result = stream({type: "content", content: "Hel", accumulated_content: "Hel"},
        {type: "content", content: "lo", accumulated_content: "Hello"}, {type: "finish", finish_reason: "stop"},
        {type: "done", content: "Hello", tool_calls: []})
      expect(chunks.select(&:content?).map(&:delta)).to eq(%w[Hel lo])
      expect([result.text, result.finish_reason, result.provider]).to eq(["Hello", "stop", "novel"])
    end

    it "may have Strings as keys, be a String, or bytes without an encoding" do
      _, result = stream({"type" => "content", "content" => "Gr"}, "ü".b, "ße")
      expect(result.text).to eq("Grüße")
    end

    it "may be OpenAI's own chunks" do
      _, result = stream({"choices" => [{"delta" => {"role" => "assistant"}}]}, nil,
        {"choices" => [{"delta" => {"content" => "Hi"}}]},
        {"choices" => [{"delta" => {}, "finish_reason" => "COMPLETE"}], "usage" => {"prompt_tokens" => 1}})
      expect([result.text, result.finish_reason, result.usage[:prompt_tokens]]).to eq(["Hi", "stop", 1])
    end

    it "has reasoning, and leaves out what nobody knows" do
      chunks, = stream({type: "reasoning", content: "Hm."}, {type: "novelty"}, 7, {type: "content", content: "x"})
      expect(chunks.map(&:type)).to eq(%i[reasoning content complete])
    end

    it "has tool calls in pieces" do
      _, result = stream(
        {type: "tool_call", tool_call: {"index" => 0, "id" => "c1", "function" => {"name" => "f", "arguments" => ""}}},
        {type: "tool_call", tool_call: {"index" => 0, "function" => {"arguments" => '{"a":'}}},
        {type: "tool_call", tool_call: {"index" => 0, "function" => {"arguments" => "1}"}}}
      )
      expect(result.tool_calls).to match([{id: "c1", name: "f", arguments: {a: 1}, raw_arguments: '{"a":1}', index: 0}])
      expect(result.finish_reason).to eq("tool_calls")
    end

    it "has whole tool calls, each with an id of its own, whose pieces need no index" do
      _, result = stream({type: "tool_calls", tool_calls: [{"function" => {"name" => "f", "arguments" => {"a" => 1}}},
        {"function" => {"name" => "f", "arguments" => '{"a":'}}, {"function" => {"arguments" => "2}"}}]})
      expect(result.tool_calls.map { |call| call[:arguments] }).to eq([{a: 1}, {a: 2}])
      expect(result.tool_calls.map { |call| call[:id] }.uniq).to match([/\Acall_/, /\Acall_/])
    end

    it "has usage under raaf-core's names or OpenAI's" do
      _, result = stream("x",
        {type: "finish", finish_reason: "stop", usage: {"input_tokens" => 3, "output_tokens" => 2}})
      expect(result.usage).to include(prompt_tokens: 3, completion_tokens: 2)
    end

    {"raaf-core's" => {content: "whole", tool_calls: []}, "a text" => "whole",
     "OpenAI's" => {"choices" => [{"message" => {"content" => "whole"}}]}}.each do |what, returned|
      it "is what the method returns where it yields nothing: #{what}" do
        expect(stream(returned: returned).last.text).to eq("whole")
      end
    end

    it "is said once, though it is yielded and returned" do
      expect(stream("whole", returned: {content: "whole"}).last.text).to eq("whole")
    end

    it "is an error where there is neither a word nor an end" do
      expect { stream }.to raise_error(RAAF::Errors::TruncatedStreamError, /said nothing/)
    end

    it "reaches callbacks" do
      texts = Queue.new
      runner(provider { |_, out| %w[Hel lo].each(&out) }).stream("Hi")
        .on(:content) { |chunk| texts << chunk.delta }.on(:complete) { texts << :end }
      expect(Array.new(3) { texts.pop }.join).to eq("Helloend")
    end
  end

  describe "what goes wrong" do
    it "is an error of ours, with the provider's own as its cause and with what was delivered" do
      error = failure do |_, out|
        out.call("Hel")
        raise RAAF::Models::RateLimitError, "Novel rate limit exceeded. Retry after: 20"
      end
      expect(error).to be_a(RAAF::Errors::RateLimitError)
        .and have_attributes(provider: "novel", model: "m-1", retry_after: 20, partial_text: "Hel")
      expect(error.cause).to be_a(RAAF::Models::RateLimitError)
    end

    it "reaches the block as a chunk first" do
      last = nil
      novel = provider { raise RAAF::Models::ServerError, "Server error from Novel: 503" }
      expect { runner(novel).run_and_stream("Hi") { |chunk| last = chunk } }.to raise_error(RAAF::Errors::ServerError)
      expect([last.type, last.exception.status]).to eq([:error, 503])
    end

    {KeyError => RAAF::Errors::ProviderError, SocketError => RAAF::Errors::ConnectionError,
     NotImplementedError => RAAF::Errors::ConfigurationError, EOFError => RAAF::Errors::ConnectionError,
     Errno::ECONNREFUSED => RAAF::Errors::ConnectionError}.each do |theirs, ours|
      it "is #{ours.name} for #{theirs.name}" do
        error = failure { raise theirs, "no luck" }
        expect([error.class, error.cause.class, error.partial_text]).to eq([ours, theirs, ""])
      end
    end

    it "may be raised as one of ours, which is completed and loses nothing" do
      error = failure { |_, out| out.call("Hel") && raise(RAAF::Errors::OverloadedError.new("Busy", code: "b")) }
      expect(error).to have_attributes(class: RAAF::Errors::OverloadedError, code: "b", model: "m-1",
        partial_text: "Hel")
    end

    it "may be yielded" do
      expect(failure { |_, out| out.call({type: "error", error: "No luck"}) })
        .to have_attributes(class: RAAF::Errors::ProviderError, message: "No luck", provider: "novel")
    end

    it "shows no key" do
      novel = provider(key: "none-of-yours") { raise KeyError, "with the key none-of-yours" }
      expect { runner(novel).run_and_stream("Hi") }
        .to raise_error(RAAF::Errors::ProviderError) { |error| expect(error.message).not_to include("none-of-yours") }
    end

    it "is a provider that begins anew after its first words, whose own rescue does not see it" do
      seen = []
      error = failure do |_, out|
        out.call({type: "content", content: "Hello", accumulated_content: "Hello"})
        begin
          out.call({type: "content", content: "Hel", accumulated_content: "Hel"})
        rescue Exception => e # rubocop:disable Lint/RescueException
          seen << e
        end
      end
      expect([error.class, error.partial_text, seen]).to eq([RAAF::Errors::TruncatedStreamError, "Hello", []])
    end

    it "is not tried again by the native part, since the provider has done that" do
      request = RAAF::Models.adapt(provider { raise RAAF::Models::RateLimitError, "Slow down. Retry after: 3" })
        .build_request(messages: [], model: "m")
      head = post(request[:url])
      expect(head).to match(/\AHTTP\/1\.1 429 /).and match(/^X-Should-Retry: false\r$/).and match(/^Retry-After: 3\r$/)
    end
  end

  describe "when the stream is over" do
    let(:left) { Queue.new }

    # Says something, and then nothing more.
    let(:silent) do
      provider do |_, out|
        out.call("Hello")
        Queue.new.pop
      ensure
        left << :left
      end
    end

    it "leaves a provider that is silent, wherever it is, on cancel" do
      stream = runner(silent).stream("Hi")
      expect { stream.each { |chunk| stream.cancel if chunk.content? } }.to raise_error(RAAF::Errors::CancelledError)
      expect(left.pop).to eq(:left)
    end

    it "leaves it on break" do
      runner(silent).run_and_stream("Hi") { break }
      expect(left.pop).to eq(:left)
    end

    it "leaves it on a time limit" do
      expect { runner(silent).run_and_stream("Hi", idle_timeout: 0.2) }
        .to raise_error(RAAF::Errors::TimeoutError) { |error| expect(error.phase).to eq(:idle) }
      expect(left.pop).to eq(:left)
    end

    it "leaves one that goes on talking, which cannot rescue that" do
      talker = provider do |_, out|
        loop { out.call("Hello") }
      rescue Exception => e # rubocop:disable Lint/RescueException
        left << e
      ensure
        left << :left
      end
      runner(talker).run_and_stream("Hi") { break }
      expect(left.pop).to eq(:left)
    end

    it "leaves no thread behind" do
      runner(provider { |_, out| out.call("x") }).run_and_stream("Hi")
      expect(bridges.map { |thread| thread.join(10) }).to all(be_a(Thread))
      expect(bridges).to eq([])
    end

    it "goes on with a new call after a redirect" do
      asked = Queue.new
      novel = provider do |question, out|
        asked << question[:messages].last[:content]
        out.call("Hello")
        Queue.new.pop if asked.size == 1
      end
      stream = runner(novel).stream("Hi")
      stream.each { |chunk| stream.redirect("Shorter") if chunk.content? && asked.size == 1 }
      expect([asked.pop, asked.pop, stream.result.messages.size]).to eq(["Hi", "Shorter", 4])
    end

    it "can be given up by a child" do
      skip "needs fork" unless Process.respond_to?(:fork)
      stream = runner(provider { |_, out| %w[Hel lo].each(&out) }).stream("Hi")
      Process.wait(fork { exit!(bridges.empty? ? 0 : 1) })
      expect([$?.exitstatus, stream.result.text]).to eq([0, "Hello"])
    end
  end

  describe RAAF::Streaming::CoreBridge::Server do
    it "closes itself when its request does not come" do
      server = described_class.new("nobody", wait: 0.05) { raise "called" }
      url = server.url
      bridges.each { |thread| thread.join(10) }
      expect { TCPSocket.new("127.0.0.1", URI(url).port) }.to raise_error(Errno::ECONNREFUSED)
    end

    it "turns away whoever does not know its path, and waits on" do
      called = 0
      server = described_class.new("x", wait: 30) do |response|
        called += 1
        response.write("data: [DONE]\n\n")
      end
      expect(post(server.url + "x")).to eq("")
      expect(post(server.url)).to end_with("data: [DONE]\n\n")
      expect(called).to eq(1)
    end

    it "is asked once" do
      server = described_class.new("x", wait: 30) { |response| response.write("data: [DONE]\n\n") }
      post(server.url)
      expect { post(server.url) }.to raise_error(SystemCallError)
    end

    it "throws, and does not raise, where nobody reads any longer" do
      here, there = UNIXSocket.pair
      there.close
      expect { described_class::Response.new(here).write("x") }.to throw_symbol(:gone)
    ensure
      here.close
    end

    it "can be ended though it was made where interrupts are put off" do
      left = Queue.new
      server = Thread.handle_interrupt(Object => :never) do
        described_class.new("x", wait: 30) do |response|
          response.write("x")
          Queue.new.pop
        ensure
          left << :left
        end
      end
      connect(server.url) { |socket| socket.readpartial(1) }
      expect(left.pop).to eq(:left)
    end
  end

  def connect(url)
    uri = URI(url)
    TCPSocket.open(uri.host, uri.port) do |socket|
      socket.write("POST #{uri.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
      yield socket
    end
  end

  def post(url)
    connect(url, &:read)
  end
end
