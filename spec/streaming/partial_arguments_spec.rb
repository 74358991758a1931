# frozen_string_literal: true

RSpec.describe "The setting partial_arguments" do
  include_context "with a model server"
  include LifecycleScripts

  after { RAAF::Streaming.reset_configuration! }

  # A piece of a call's arguments, with the name where it begins.
  def piece(arguments, index: 0, name: nil)
    function = {name: name, arguments: arguments}.compact
    {tool_calls: [{index: index, function: function, id: name && "call_#{name}"}.compact]}
  end

  def script_calls(*deltas, **options)
    server.script(deltas: deltas, finish_reason: "tool_calls", **options)
  end

  def weather(**options)
    script_calls(piece("", name: "weather"), piece('{"city":"Łó'), piece('dź","da'), piece('ys":1'), piece("2}"),
      **options)
  end

  def copy(value)
    Marshal.load(Marshal.dump(value))
  end

  # The arguments of each chunk as they were when it came.
  def arguments_in(stream)
    stream.filter_map { |chunk| copy(chunk.arguments) if chunk.tool_call_delta? }
  end

  it "gives every :tool_call_delta the arguments so far" do
    weather
    stream = runner.stream("Hi", partial_arguments: true)
    came = []
    stream.each do |chunk|
      came << [chunk.type, copy(chunk.arguments)] unless chunk.complete?
    end

    expect(came).to eq([
      [:tool_call_delta, {}], [:tool_call_delta, {city: "Łó"}], [:tool_call_delta, {city: "Łódź"}],
      [:tool_call_delta, {city: "Łódź"}], [:tool_call_delta, {city: "Łódź", days: 12}],
      [:tool_call, {city: "Łódź", days: 12}]
    ])
  end

  it "gives the same Hash in all chunks of a call, and leaves the rest of them as it is" do
    weather
    chunks = runner.stream("Hi", partial_arguments: true).to_a
    deltas = chunks.select(&:tool_call_delta?)

    expect(deltas.drop(1).map { |chunk| chunk.arguments.object_id }.uniq.size).to eq(1)
    expect(deltas.map(&:delta)).to eq(["", '{"city":"Łó', 'dź","da', 'ys":1', "2}"])
    expect(deltas.map(&:raw_arguments)).to eq(deltas.map(&:delta))
    expect(deltas.map { |chunk| [chunk.tool_name, chunk.tool_id, chunk.tool_index] }.uniq)
      .to eq([["weather", "call_weather", 0]])
    expect(chunks).to all(be_frozen)
    call = chunks.find(&:tool_call?)
    expect(call.arguments).to eq(deltas.last.arguments)
    expect(call.arguments).not_to equal(deltas.last.arguments)
  end

  it "is off unless asked for" do
    weather

    expect(arguments_in(runner.stream("Hi"))).to eq([{}] * 5)
  end

  it "may be set for all, for a runner, and for a call" do
    whole = [{city: "Łódź", days: 12}]
    RAAF::Streaming.configure { |config| config.partial_arguments = true }
    weather
    expect(arguments_in(runner.stream("Hi")).last(1)).to eq(whole)
    weather
    expect(arguments_in(runner.stream("Hi", partial_arguments: false)).uniq).to eq([{}])

    RAAF::Streaming.reset_configuration!
    weather
    expect(arguments_in(runner_for(server.base_url, partial_arguments: true).stream("Hi")).last(1)).to eq(whole)
  end

  it "keeps calls apart that come at the same time, whatever their index" do
    far = 2_000_000_000
    script_calls(piece("", name: "a"), piece("", index: far, name: "b"), piece('{"x":['), piece('{"y":"', index: far),
      piece("1,"), piece("z", index: far), piece("2]}"), piece('"}', index: far))

    expect(arguments_in(runner.stream("Hi", partial_arguments: true)))
      .to eq([{}, {}, {x: []}, {y: ""}, {x: [1]}, {y: "z"}, {x: [1, 2]}, {y: "z"}])
  end

  it "keeps choices apart" do
    events = [[0, '{"a":'], [1, '{"b":'], [0, "1}"], [1, "2}"]].map do |choice, arguments|
      {choices: [{index: choice, delta: piece(arguments, name: (arguments.size > 2) ? "f" : nil)}]}
    end
    server.script do |_, response|
      response.start(200, "content-type" => "text/event-stream")
      events.each { |event| response.event(event) }
      [0, 1].each { |index| response.event({choices: [{index: index, delta: {}, finish_reason: "tool_calls"}]}) }
      response.event("[DONE]")
    end

    expect(arguments_in(runner.stream("Hi", partial_arguments: true))).to eq([{}, {}, {a: 1}, {b: 2}])
  end

  it "stays where it is where the model writes no JSON, or no object, and the run goes on" do
    script_calls(piece('{"a":1', name: "f"), piece(",,"), piece('"b":2}'), piece("[1]", index: 1, name: "g"))
    stream = runner.stream("Hi", partial_arguments: true)

    expect(arguments_in(stream)).to eq([{}, {a: 1}, {a: 1}, {}])
    expect(stream.result.tool_calls.map { |call| [call[:arguments], call[:raw_arguments]] })
      .to eq([[{}, '{"a":1,,"b":2}'], [{}, "[1]"]])
  end

  it "holds for callbacks" do
    weather
    heard = Queue.new
    runner.stream("Hi", partial_arguments: true)
      .on(:tool_call_delta) { |chunk| heard << copy(chunk.arguments) }.wait

    expect(Array.new(heard.size) { heard.pop })
      .to eq([{}, {city: "Łó"}, {city: "Łódź"}, {city: "Łódź"}, {city: "Łódź", days: 12}])
  end

  it "holds for what somebody has waited for before" do
    weather
    stream = runner.stream("Hi", partial_arguments: true)
    expect(stream.wait(LifecycleHelpers::PATIENCE)).to equal(stream)
    heard = Queue.new
    weather
    late = runner.stream("Hi", partial_arguments: true)
    late.on(:complete) { |chunk| heard << chunk }
    heard.pop
    late.on(:tool_call_delta) { |chunk| heard << chunk.arguments }

    expect(heard.pop).to eq({})
    expect(Array.new(4) { heard.pop }).to eq([{city: "Łódź", days: 12}] * 4)
  end

  it "begins anew after a redirect" do
    script_calls(piece('{"a":"x', name: "f"), keep_open: true, done: false)
    server.script(deltas: [piece('{"b":', name: "f"), piece("1}")], finish_reason: "tool_calls")
    stream = runner.stream("Hi", partial_arguments: true)
    came = []
    stream.each do |chunk|
      next unless chunk.tool_call_delta?

      came << copy(chunk.arguments)
      stream.redirect("Rather not") if chunk.arguments[:a]
    end

    expect(came).to eq([{a: "x"}, {}, {b: 1}])
  end

  it "lets a chunk be copied, compared and written as ever" do
    weather
    deltas = runner.stream("Hi", partial_arguments: true).select(&:tool_call_delta?)
    read = Marshal.load(Marshal.dump(deltas))

    expect(read).to eq(deltas)
    expect(read.last.arguments).to eq(city: "Łódź", days: 12)
    expect(deltas.last.dup.arguments).to equal(deltas.last.arguments)
    expect(JSON.parse(deltas.last.to_json)).to include("type" => "tool_call_delta", "delta" => "2}")
    expect(deltas.last.to_h).to eq(type: :tool_call_delta, tool_name: "weather", tool_id: "call_weather", tool_index: 0,
      delta: "2}")
  end

  it "ends the run where somebody freezes what has to grow" do
    weather(keep_open: true, finish_reason: nil, done: false)
    stream = runner.stream("Hi", partial_arguments: true)

    expect { stream.each { |chunk| chunk.arguments.freeze if chunk.tool_call_delta? } }.to raise_error(FrozenError)
    expect(stream.status).to eq(:cancelled)
    server.wait_for_close(server.requests.last)
  end

  it "changes no word where everything is collected, and moves, all the time" do
    script_calls(*'{"city":"Łódź","list":[1,{"a":"b"}]}'.each_char.map { |char| piece(char, name: "f") }, repeat: true)
    script = run_script(<<~RUBY, server.base_url, within: 60)
      each = runner.stream("Hi", partial_arguments: true).each
      moved = []
      loop do
        chunk = each.next
        moved << chunk.arguments if chunk.tool_call_delta?
        GC.compact
        GC.start(full_mark: false)
      end
      GC.stress = 1
      stressed = runner.stream("Hi", partial_arguments: true).select(&:tool_call_delta?).map(&:arguments)
      GC.stress = false
      whole = {city: "Łódź", list: [1, {a: "b"}]}
      puts [moved, stressed].map { |hashes| [hashes.size, hashes.uniq(&:object_id)] == [36, [whole]] }.inspect
    RUBY

    expect([script.output, script.errors]).to eq(["[true, true]\n", ""])
  end
end
