# frozen_string_literal: true

require "async"
require "open3"
require "rbconfig"

# An answer that breaks off in the middle. The words somebody sees are right, and none comes twice.
RSpec.describe "A resilient run whose answer breaks off" do
  include_context "with a backup server"
  include LifecycleScripts

  let(:deltas) { ["One ", "two ", "three ", "four."] }
  let(:whole) { deltas.join }

  # Breaks off once what came before was seen: a reset would take with it what lies unread in the socket.
  def breaks_off(deltas, after:, how:)
    seen = Queue.new
    server.script do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      deltas.first(after).each { |delta| response.event({choices: [{index: 0, delta: {content: delta}}]}) }
      seen.pop
      next response.event({error: {message: "No luck", type: "server_error"}}).finish if how == :error

      (how == :cut) ? response.cut : response.reset
    end
    ->(chunk) { seen << true if chunk.content? && chunk.cumulative == deltas.first(after).join }
  end

  # Who takes the chunks, and how.
  ways = {
    "a block" => ->(runner, see, **options) { [runner.run_and_stream("Hi", **options, &see)] },
    "a handle with callbacks" => lambda do |runner, see, **options|
      [runner.stream("Hi", **options).on(&see).result]
    end,
    "a handle" => ->(runner, see, **options) { [runner.stream("Hi", **options).each(&see).result] },
    "a fiber" => ->(runner, see, **options) { Sync { [Async { runner.run_and_stream("Hi", **options, &see) }.wait] } }
  }

  # @return [Object] an outcome
  def take_by(way, see, runner: resilient, **options)
    heard = Queue.new
    result, = way.call(runner, ->(chunk) { heard << chunk and see.call(chunk) }, **options)
    outcome.new(Array.new(heard.size) { heard.pop }, result, nil)
  end

  buffers = {"each piece a chunk" => {}, "coalesced" => {chunk_buffer_size: 50, chunk_buffer_timeout: 5}}

  %i[cut error reset].each do |how|
    ways.each do |by, way|
      buffers.each do |buffering, settings|
        describe "by #{how}, taken by #{by}, #{buffering}", valgrind: by != "a fiber" do
          let(:see) { breaks_off(deltas, after: 2, how: how) }

          before { see }

          it "ends there, by default" do
            run = take_by(way, see, **settings)

            expect(run.shown).to eq("One two ")
            expect(run.types.last).to eq(:error)
            expect(run.chunks).to be_a_proper_sequence
            expect(run.chunks.last).to have_attributes(delta: run.result.error.message, terminal?: true)
            expect(run.result).to have_attributes(failed?: true, text: "One two ", error: be_a(RAAF::Errors::ProviderError))
            expect(run.result.error.partial_text).to eq("One two ")
            expect(run.result.messages.last).to eq(role: "assistant", content: "One two ")
            expect(backup.connections).to eq(0)
          end

          it "is gone on with by the next provider, where that was chosen" do
            backup.script(**answer("three ", "four."))
            run = take_by(way, see, after_content: :continue, **settings)

            expect(run.shown).to eq(whole)
            expect(run.words).to eq(["Provider error. Switching to backup..."])
            expect(run.chunks).to be_a_proper_sequence
            expect(run.chunks.last).to have_attributes(type: :complete, final_response: whole, cumulative: whole)
            expect(run.result).to have_attributes(text: whole, error: nil, model: "gpt-backup")
            expect(run.result.messages.map { |message| message.values_at(:role, :content) })
              .to eq([%w[user Hi], ["assistant", whole]])
          end

          it "is begun anew by the next provider, where that was chosen" do
            backup.script(**answer("Uno ", "due."))
            run = take_by(way, see, after_content: :reset, **settings)

            expect(run.shown).to eq("Uno due.")
            expect(run.words).to eq(["Provider error. Switching to backup..."])
            expect(run.chunks).to be_a_proper_sequence
            reset = run.chunks.find(&:status?)
            expect(reset).to have_attributes(status: :reset, cumulative: "One two ", delta: "")
            expect(run.chunks[run.chunks.index(reset) - 1]).to be_error
            expect(run.chunks.last).to have_attributes(type: :complete, final_response: "Uno due.")
            expect(run.result).to have_attributes(text: "Uno due.", error: nil)
            expect(run.result.messages.last).to eq(role: "assistant", content: "Uno due.")
          end
        end
      end
    end
  end

  describe "and is to be gone on with" do
    let(:going_on) { resilient(after_content: :continue) }

    it "asks a model that does not write on by itself to go on where it stops" do
      server.script(**broken(deltas, after: 2))
      backup.script(**answer("three ", "four."))

      expect(ask(going_on).shown).to eq(whole)
      expect(asked(backup)).to match([%w[user Hi], ["assistant", "One two "],
        ["user", a_string_matching(/cut off.*Go on exactly where it stops.*not.*repeat/m)]])
    end

    it "gives a model that writes on by itself the beginning, without the blanks at its end" do
      server.script(**broken(["One\n", "two\n"], after: 2))
      backup.script(**answer("\n\n", "three"))
      claude = RAAF::Models::AnthropicProvider.new(api_key: "key", base_url: backup.base_url)

      run = ask(going_on, backup_providers: [[claude, "claude-sonnet-4-5"]])
      expect(backup.requests.first.json[:messages])
        .to eq([{role: "user", content: "Hi"}, {role: "assistant", content: "One\ntwo"}])
      expect(run.shown).to eq("One\ntwo\n\nthree")
      expect(run.chunks).to be_a_proper_sequence
    end

    it "cuts off what the next one repeats, however it is cut" do
      beginning = ["It was a bright ", "cold day in Apr"]
      [["cold day in April."], ["It was a bright cold day in", " April."], ["a bright cold day in April."], ["April."],
        ["il."]].each do |continuation|
        server.script(**broken(beginning, after: 2))
        backup.script(**answer(*continuation), split: {random: 1})
        run = ask(going_on)

        expect(run.shown).to eq("It was a bright cold day in April.")
        expect(run.chunks).to be_a_proper_sequence
        expect(run.result.text).to eq(run.shown)
      end
    end

    it "may break off again and again" do
      [server, backup].each(&:clear_scripts)
      server.script(**broken(%w[a b], after: 1)).script(**broken(%w[c d], after: 1))
      backup.script(**broken(%w[b c], after: 1)).script(**answer("d"))

      run = ask(going_on)
      expect(run.shown).to eq("abcd")
      expect(run.chunks).to be_a_proper_sequence
      expect(run.result.text).to eq("abcd")
      expect(asked(backup, 2)[1]).to eq(%w[assistant abc])
    end

    it "keeps what was said over an attempt that says nothing" do
      server.script(**broken(%w[a b], after: 1)).script(**answer("b"))
      backup.script(status: 500)

      run = ask(going_on)
      expect(run.shown).to eq("ab")
      expect(run.chunks).to be_a_proper_sequence
      expect(asked(server, 2)[1]).to eq(%w[assistant a])
    end

    it "says when nobody is left who could" do
      server.script(**broken(%w[a b], after: 1))
      server.default_script(status: 500, repeat: true)
      backup.default_script(status: 500, repeat: true)

      run = ask(going_on)
      expect(run.shown).to eq("a")
      expect(run.words.last).to eq("All providers failed. Please try again later.")
      expect(run.result).to have_attributes(failed?: true, text: "a")
      expect(run.chunks).to be_a_proper_sequence
    end

    it "ends, where the answer was to be JSON: nobody goes on in the middle of that" do
      agent.response_format = {type: "json_schema", json_schema: {name: "a", schema: {type: "object"}}}
      server.script(**broken(['{"a":', "1}"], after: 1))

      run = ask(going_on)
      expect(run.result).to have_attributes(failed?: true, text: '{"a":')
      expect(backup.connections).to eq(0)
    end

    it "ends, where no text is kept" do
      server.script(**broken(%w[a b], after: 1))

      expect(ask(going_on, retain_text: false).result).to be_failed
      expect(backup.connections).to eq(0)
    end

    it "is asked for anew, where only its reasoning had come" do
      server.script(reasoning: ["Hm"], deltas: ["a"], fault: :cut, after: 2)
      backup.script(**answer("ab"))

      run = ask(going_on)
      expect(run.types).to eq(%i[reasoning error content complete])
      expect(asked(backup)).to eq([%w[user Hi]])
      expect(run.result.text).to eq("ab")
    end

    it "can be redirected meanwhile, with all that was said in the conversation" do
      server.script(**broken(%w[a b], after: 1))
      backup.script(**silence_after("b")).script(**answer("the next one"))
      stream = going_on.stream("Hi")
      taking = take(stream)
      taking.next_chunk until taking.chunks.last&.delta == "b"
      stream.redirect("Shorter")

      expect(stream.wait.result.text).to eq("the next one")
      expect(asked(backup, 2)).to eq([%w[user Hi], %w[assistant ab], %w[user Shorter]])
    end
  end

  describe "in a turn with a tool call" do
    let(:runs) { [] }
    let(:call) { {name: "weather", id: "call_1", arguments: '{"city":"Rome"}'} }

    before do
      agent.add_tool(->(city:) { runs << city && "rain" }, name: "weather",
        parameters: {type: "object", properties: {city: {type: "string"}}})
    end

    it "does not run the call that had come, and runs that of the next attempt" do
      # The stream breaks off behind the call and before its end.
      server.script(deltas: ["Let me see. "], tool_calls: [call], finish_reason: nil, done: false)
      backup.script(deltas: [], tool_calls: [call.merge(id: "call_2")]).script(**answer("Rain."))

      run = ask(resilient(after_content: :continue))
      expect(runs).to eq(["Rome"])
      expect(run.shown).to eq("Let me see. Rain.")
      expect(run.chunks).to be_a_proper_sequence
      expect(run.result.messages.map { |message| message[:role] }).to eq(%w[user assistant tool assistant])
      expect(run.result.messages[1]).to include(content: "Let me see. ", tool_calls: [include(id: "call_2")])
    end

    it "goes on with the second turn's words only, and resets those of both" do
      %i[continue reset].each do |mode|
        server.script(deltas: ["First. "], tool_calls: [call]).script(**broken(%w[a b], after: 1))
        backup.script(**answer("b"))
        run = ask(resilient(after_content: mode))

        expect(run.chunks).to be_a_proper_sequence
        expect(run.result.text).to eq((mode == :continue) ? "First. ab" : "b")
        expect(run.shown).to eq(run.result.text)
        expect(run.result.messages.map { |message| message[:content] })
          .to eq(["Hi", "First. ", "rain", (mode == :continue) ? "ab" : "b"])
      end
      expect(runs).to eq(%w[Rome Rome])
    end
  end

  it "gives somebody who comes late the second answer alone" do
    server.script(**broken(deltas, after: 2))
    backup.script(**answer("Uno"))
    stream = resilient(after_content: :reset).stream("Hi").on(:complete) { |chunk| chunk }
    stream.wait
    heard = Queue.new
    stream.on { |chunk| heard << chunk }
    stream.wait

    expect(Array.new(heard.size) { heard.pop }.map { |chunk| [chunk.type, chunk.delta] })
      .to eq([[:content, "Uno"], [:error, "Provider error. Switching to backup..."], [:complete, ""]])
  end

  it "begins its object anew, where it grows as JSON" do
    agent.response_format = {type: "json_schema", json_schema: {name: "a", schema: {type: "object"}}}
    server.script(**broken(['{"a":1,', '"b":2}'], after: 1))
    backup.script(**answer('{"a":', "3}"))
    seen = resilient(after_content: :reset).stream("Hi").objects.map(&:dup)

    expect(seen).to include({a: 1}).and end_with({a: 3})
  end

  # In a process of its own, whose heap is small.
  it "survives a garbage collector that runs all the time, and one that moves everything" do
    2.times { server.script(**broken(%w[a b], after: 1)) }
    2.times { backup.script(**answer("b")) }
    script = run_script(<<~RUBY, server.base_url, within: 60)
      agent = RAAF::Agent.new(name: "Assistant", model: "gpt-4o")
      provider = ->(url) { RAAF::Models::OpenAIProvider.new(api_key: "key", base_url: url) }
      runner = RAAF::Streaming::ResilientRunner.new(agent: agent, provider: provider[ARGV.first],
        backup_providers: [provider[#{backup.base_url.inspect}]], after_content: :continue)
      GC.stress = 1 # the young ones only
      text = runner.run_and_stream("Hi") { |chunk| chunk.delta }.text
      GC.stress = false
      stream = runner.stream("Hi")
      options = RUBY_VERSION >= "3.2" ? {expand_heap: true} : {double_heap: true}
      stream.each { |chunk| GC.verify_compaction_references(toward: :empty, **options) if chunk.error? }
      puts text, stream.result.text
    RUBY

    expect([script.output, script.errors]).to eq(["ab\nab\n", ""])
  end

  it "is shown by an example that needs no key" do
    root = File.expand_path("../..", __dir__)
    output, errors, status = Open3.capture3(RbConfig.ruby, "-I", "#{root}/lib", "#{root}/examples/resilient_stream.rb")

    expect(errors).to eq("")
    expect(status).to be_success
    expect(output).to eq("The sky is blue because air \n[Provider error. Switching to backup...]\n" \
                         "scatters blue light more than red.\n[anthropic ended it: 62 characters]\n")
  end

  # Answers of any length that fail anywhere, again and again. What is expected is worked out from what the servers are
  # told to say, and not from what they said.
  describe "at random places" do
    let(:random) { Random.new(RSpec.configuration.seed) }

    # Five letters each, none like the other.
    def words(count)
      letters = ("a".."z").to_a
      Array.new(count) { |i| letters.sample(4, random: random).join + letters[i] + [" ", "\n", ", "][random.rand(3)] }
    end

    # Who goes on may say the last three words again.
    def again(mode, deltas, said)
      (mode == :continue && said >= 3 && random.rand(2).zero?) ? deltas[said - 3, 3] : []
    end

    # An error event, or the end of the connection without the answer's.
    def failure
      [{error: {message: "No luck", type: "server_error"}}, {finish_reason: nil, done: false}][random.rand(2)]
    end

    # Tells the servers what to say, one after the other, and says what is to be seen.
    def plan(mode, deltas, failures)
      said = 0
      seen = +""
      failures.each_with_index do |place, i|
        rest = (mode == :continue) ? deltas.drop(said) : deltas
        place = [place, rest.size].min
        tell(i, again(mode, deltas, said) + rest.first(place), true)
        seen.clear if mode == :reset && seen != ""
        seen << rest.first(place).join
        said += place
        return [seen, :failed] if mode == :error && place.positive?
      end
      rest = (mode == :continue) ? deltas.drop(said) : deltas
      tell(failures.size, again(mode, deltas, said) + rest, false)
      seen.clear if mode == :reset
      [seen << rest.join, :complete]
    end

    # Servers are asked in turn.
    def tell(number, deltas, fails)
      (number.even? ? server : backup).script(deltas: deltas, **(fails ? failure : {usage: true}))
    end

    %i[error continue reset].each do |mode|
      it "shows every word once: #{mode}" do
        40.times do
          [server, backup].each(&:clear_scripts)
          deltas = words(random.rand(1..12))
          failures = Array.new(random.rand(0..4)) { (random.rand(3) == 0) ? 0 : random.rand(0..deltas.size) }
          expected, ending = plan(mode, deltas, failures)
          settings = random.rand(2).zero? ? {} : {chunk_buffer_size: random.rand(1..20), chunk_buffer_timeout: 2}

          run = ask(resilient(after_content: mode, max_retries: 10, retry_delay: 0, circuit_breaker: false), **settings)
          expect(run.shown).to eq(expected)
          expect(run.chunks).to be_a_proper_sequence
          expect(run.result.text).to eq(expected)
          expect(run.chunks.last.type).to eq((ending == :failed) ? :error : :complete)
          expect(run.chunks.count(&:terminal?)).to eq(1)
        end
      end
    end
  end
end
