# frozen_string_literal: true

require "json"
require "objspace"

RSpec.describe RAAF::Streaming::PartialJSON do
  include LifecycleScripts

  # @return [PartialJSON]
  def fed(*pieces, **options)
    pieces.each_with_object(described_class.new(**options)) { |piece, json| json << piece }
  end

  # The json gem refuses a key that comes twice since version 3, where it is not allowed.
  def parsed(text, **options)
    JSON.parse(text, symbolize_names: true, allow_duplicate_key: true, **options)
  end

  def copy(value)
    Marshal.load(Marshal.dump(value))
  end

  # Whether a value can become another by growing alone.
  def beginning?(part, whole)
    case whole
    when Hash
      part.is_a?(Hash) && part.keys == whole.keys.first(part.size) && beginnings?(part.values, whole.values)
    when Array then part.is_a?(Array) && part.size <= whole.size && beginnings?(part, whole)
    when String then part.is_a?(String) && part.valid_encoding? && whole.start_with?(part)
    else part.eql?(whole)
    end
  end

  # All but the last are whole.
  def beginnings?(parts, wholes)
    parts.empty? || (parts[0...-1].eql?(wholes.first(parts.size - 1)) && beginning?(parts.last, wholes[parts.size - 1]))
  end

  describe "whose text is whole" do
    it "is what JSON.parse makes of it, in every split" do
      400.times do |seed|
        text = JSONDocuments.new(seed, same_keys: seed.odd?).next
        expected = parsed(text)

        ReplaySplits.each(text, seeds: [seed]) do |pieces|
          value = fed(*pieces).finish

          expect(value).to eql(expected)
          expect(value.inspect).to eq(expected.inspect) # the order of keys too
        end
      end
    end

    it "has Strings for keys where asked, as JSON.parse" do
      text = '{"a":{"é":[{"":1}]}}'
      value = fed(text, symbolize_names: false).finish

      expect(value).to eq(parsed(text, symbolize_names: false))
      expect(value.keys).to all(be_frozen)
      expect(value.keys.first.encoding).to eq(Encoding::UTF_8)
    end

    it "has numbers as JSON.parse" do
      JSONDocuments::NUMBERS.each do |number|
        [number, "[#{number}]", "{\"n\":#{number}}"].each do |text|
          expect(fed(text).finish.inspect).to eq(parsed(text).inspect)
        end
      end
      expect(fed("[1e400]").finish).to eq([Float::INFINITY])
    end

    it "has Strings in UTF-8 that can be changed, whatever the encoding of the pieces" do
      [Encoding::UTF_8, Encoding::BINARY].each do |encoding|
        value = fed(*'["Łódź 👋"]'.b.each_char.map { |byte| byte.force_encoding(encoding) }).finish

        expect(value).to eq(["Łódź 👋"])
        expect(value.first.encoding).to eq(Encoding::UTF_8)
        expect(value.first).not_to be_frozen
      end
    end

    it "keeps the last value of a key that comes twice" do
      json = fed('{"a":{"b":1},"c":2,"a":"x')

      expect(json.value).to eq(a: "x", c: 2)
      expect(fed('{"a":1,"a":2}').finish).to eq(a: 2)
    end

    it "may be any value" do
      ['"text"', "12", "-1.5", "true", "false", "null", "[]", "{}"].each do |text|
        json = fed(text)

        expect(json.finish).to eq(parsed(text))
        expect(json).to be_complete
      end
    end

    it "may begin with a byte order mark" do
      ReplaySplits.each("\uFEFF {\"a\":1}") { |pieces| expect(fed(*pieces).finish).to eq(a: 1) }
      expect(fed("\uFEFF\uFEFF1")).to be_failed
    end

    it "has U+FFFD for what is no character" do
      {'["\ud83d"]' => "\uFFFD", '["\ude00x"]' => "\uFFFDx", '["\ud83d\u0041"]' => "\uFFFDA",
       "[\"a\xFFb\"]" => "a\uFFFDb", "[\"\xE2\x82\"]" => "\uFFFD"}.each do |text, expected|
        ReplaySplits.each(text) { |pieces| expect(fed(*pieces).finish).to eq([expected]) }
      end
    end
  end

  describe "whose text is not whole" do
    it "is at every byte a beginning of the whole, and grows only" do
      150.times do |seed|
        text = JSONDocuments.new(seed).next
        whole = parsed(text)
        json = described_class.new
        before = nil
        text.b.each_char do |byte|
          json << byte
          now = copy(json.value)

          expect(json).not_to be_failed
          expect([text, now]).to satisfy { now.nil? || beginning?(now, whole) }
          expect([text, before, now]).to satisfy { before.nil? || beginning?(before, now) }
          expect(json.changed?).to be(!now.eql?(before)) unless whole.nil?
          before = now
        end
      end
    end

    it "has a key once its value begins, a number once it is whole, a string at once" do
      steps = {
        "{" => {}, "\"ti" => {}, "tle\"" => {}, ":" => {}, "\"" => {title: ""}, "So" => {title: "So"},
        "up\\u00" => {title: "Soup"}, "21\"" => {title: "Soup!"}, ",\"n\":1" => {title: "Soup!"},
        "2" => {title: "Soup!"}, ",\"ok\":t" => {title: "Soup!", n: 12}, "ru" => {title: "Soup!", n: 12},
        "e,\"list\":[" => {title: "Soup!", n: 12, ok: true, list: []},
        "{\"a\"" => {title: "Soup!", n: 12, ok: true, list: [{}]},
        ":null}]}" => {title: "Soup!", n: 12, ok: true, list: [{a: nil}]}
      }
      json = described_class.new
      steps.each { |piece, value| expect([piece, copy((json << piece).value)]).to eq([piece, value]) }
      expect(json).to be_complete
    end

    it "grows by whole characters" do
      json = fed("\"a\xE2\x82".b)

      expect(json.value).to eq("a")
      expect((json << "\xAC\\ud83d".b).value).to eq("a€")
      expect((json << "\\ude0").value).to eq("a€")
      expect((json << "0").value).to eq("a€😀")
    end

    it "is nil before it begins" do
      json = described_class.new

      expect([json.value, json.complete?, json.failed?, json.error,
        json.changed?]).to eq([nil, false, false, nil, false])
      expect(fed(" \n").value).to be_nil
    end

    it "is built in place: the same objects all the time" do
      json = fed('{"a":[{"b":"x')
      root = json.value
      inner = root[:a][0]
      text = inner[:b]
      json << 'y"},2],"c":{' << "}}"

      expect(json.value).to equal(root)
      expect(root[:a][0]).to equal(inner)
      expect(inner[:b]).to equal(text)
      expect(root).to eq(a: [{b: "xy"}, 2], c: {})
    end

    it "is whole at the finish where it is a number alone" do
      json = fed("12")

      expect([json.value, json.complete?]).to eq([nil, false])
      expect(json.finish).to eq(12)
      expect([json.value, json.complete?]).to eq([12, true])
      expect(fed("12 ")).to be_complete
    end
  end

  describe "whose text is no JSON" do
    it "fails, says at which byte and what should have come, and keeps what it has" do
      {'{"a":1,}' => [{a: 1}, "not valid JSON at byte 7: expected a key"],
       '{"a" 1}' => [{}, "not valid JSON at byte 5: expected a colon"],
       '["ab' + "\n" => [["ab"], "not valid JSON at byte 4: expected a quotation mark, or characters that stand for " \
                                 "themselves"],
       '["ab\q"]' => [["ab"], "not valid JSON at byte 5: expected an escape that JSON has"],
       "[1]]" => [[1], "not valid JSON at byte 3: expected nothing more"],
       "Sure!" => [nil, "not valid JSON at byte 0: expected a value"],
       "[01]" => [[0], "not valid JSON at byte 2: expected a comma or ]"]}.each do |text, (value, error)|
        ReplaySplits.each(text) do |pieces|
          json = fed(*pieces)

          expect([json.value, json.error, json.failed?, json.complete?]).to eq([value, error, true, false])
          expect { json.finish }.to raise_error(RAAF::Errors::ProtocolError, error)
        end
      end
    end

    it "ignores what is fed afterwards" do
      json = fed("[1}")

      expect(json << ",2]").to equal(json)
      expect([json.value, json.changed?,
        json.error]).to eq([[1], false, "not valid JSON at byte 2: expected a comma or ]"])
    end

    it "takes what JSON.parse takes beyond the standard for none" do
      ["/* a */ 1", "[1, // a\n2]", '["\q"]', "[NaN]", "[1,]", "'a'", "{a:1}"].each do |text|
        expect { fed(text).finish }.to raise_error(RAAF::Errors::ProtocolError)
      end
    end

    it "says nothing of the text itself" do
      expect(fed('{"password":"secret" secret').error).not_to include("secret")
    end
  end

  describe "#finish" do
    it "raises where the text ends too early, every time" do
      {"" => 0, "{" => 1, '{"a":"b' => 7, "[1" => 2, "tru" => 3, "1." => 2}.each do |text, at|
        json = fed(text)

        2.times do
          expect { json.finish }
            .to raise_error(RAAF::Errors::ProtocolError, /\Athe JSON ends too early, at byte #{at}: expected ./)
        end
        expect(json).to be_failed
        expect((json << "]").value).to eq(fed(text).value)
      end
    end

    it "gives the value every time" do
      json = fed("[1]")

      expect(json.finish).to equal(json.finish)
      expect(json << " \n").to be_complete
    end
  end

  describe "limits" do
    it "hold for nesting" do
      expect(fed("[" * 100 + "]" * 100).finish).to be_an(Array)
      expect(fed("[" * 101).error).to eq("the JSON is nested deeper than 100 at byte 100")
      expect(fed('{"a":[', max_nesting: 1).error).to eq("the JSON is nested deeper than 1 at byte 5")
      expect(fed('{"a":[' * 512 + "]}" * 512, max_nesting: 1024)).to be_complete
      expect(fed("[" * 100_000, max_nesting: 1024)).to be_failed
    end

    it "can be chosen within bounds" do
      [0, -1, 1025].each { |depth|
        expect {
          described_class.new(max_nesting: depth)
        }.to raise_error(ArgumentError, /1 to 1024/)
      }
      expect { described_class.new(max_nesting: nil) }.to raise_error(TypeError)
      expect { described_class.new(nesting: 1) }.to raise_error(ArgumentError)
    end

    it "hold for keys and numbers, and not for strings" do
      long = "7" * 65_536

      expect(fed("{\"#{long}\":#{long},\"s\":\"#{long * 3}\"}").finish).to eq(long.to_sym => Integer(long),
        :s => long * 3)
      expect(fed("[\"\",{\"#{long}7").error).to eq("a key or number of the JSON is longer than 65536 bytes, at byte 5")
      expect(fed("[#{long}7").error).to eq("a key or number of the JSON is longer than 65536 bytes, at byte 1")
    end
  end

  describe "costs" do
    # The least of several runs: whatever else allocates in the process only adds.
    def objects_for(first, pieces)
      Array.new(4) do
        json = fed(first)
        before = GC.stat(:total_allocated_objects)
        pieces.each { |piece| json << piece }
        GC.stat(:total_allocated_objects) - before
      end.min
    end

    it "no object for a piece of a string, however long it is already" do
      expect(objects_for('{"a":"', ["word "] * 2_000)).to be <= 2
      expect(objects_for('{"a":"', ["word "] * 40_000)).to be <= 2
    end

    it "as much for an element whatever came before it" do
      small = objects_for("[", ["{\"a\":", "[1,\"", "x\"]}", ","] * 500)
      large = objects_for("[", ["{\"a\":", "[1,\"", "x\"]}", ","] * 5_000)

      expect(small).to be_between(3 * 500, 4 * 500 + 10)
      expect(large).to be_between(3 * 5_000, 4 * 5_000 + 10)
    end

    it "the memory of the value and little more" do
      json = fed('{"a":"', "x" * 5_000_000, '","b":[', "1," * 200_000)

      expect(ObjectSpace.memsize_of(json)).to be < 10_000
      expect(ObjectSpace.memsize_of(json.value[:a])).to be_between(5_000_000, 11_000_000)
    end
  end

  describe "for whoever changes what it builds" do
    it "says that it cannot go on once a part that has to grow is frozen" do
      {'{"a":{' => ->(value) { value[:a].freeze }, '["x' => ->(value) { value[0].freeze }}.each do |text, freeze|
        json = fed(text)
        freeze.call(json.value)

        expect { json << (text.start_with?("{") ? '"b":1,' : "y") }.to raise_error(FrozenError)
        expect { json << "x" }.to raise_error(RAAF::Errors::Error, /broken off/)
        expect { json.finish }.to raise_error(RAAF::Errors::Error, /broken off/)
        expect([json.failed?, json.complete?, json.error]).to eq([true, false, "the value could not be built"])
      end
    end

    it "does not care for copies" do
      json = fed('{"a":["x')
      kept = copy(json.value)
      text = json.value[:a][0].dup
      json << 'y",2]}'

      expect([kept, text, json.finish]).to eq([{a: ["x"]}, "x", {a: ["xy", 2]}])
    end
  end

  it "takes nothing that is no String" do
    expect { described_class.new << nil }.to raise_error(TypeError)
    expect { described_class.new.freeze << "1" }.to raise_error(FrozenError)
  end

  it "is neither copied nor made anew" do
    expect { fed("[").dup }.to raise_error(NoMethodError)
    expect { fed("[").send(:initialize) }.to raise_error(ArgumentError)
  end

  it "does not lose its way where a warning feeds it again" do
    script = run_script(<<~RUBY)
      $VERBOSE = true
      json = RAAF::Streaming::PartialJSON.new
      errors = []
      Warning.define_singleton_method(:warn) do |*|
        json << "2" * 100_000
      rescue RAAF::Errors::Error => e
        errors << e.message
      end
      json << "[1e400,1]"
      p json.finish, errors.grep(/still running/).size
    RUBY

    expect([script.output, script.errors]).to eq(["[Infinity, 1]\n1\n", ""])
  end

  # Each runs in a process of its own: a heap that moves, or is collected at every allocation, is no place for RSpec.
  describe "while the garbage collector" do
    life = <<~'RUBY'
      require "json"
      TEXT = %q({"title":"Żurek \u00e9\ud83d\ude00","n":[1,-2.5,123456789012345678901234567890,null,true],"deep":{"a":[{"b":"c"},[]]},"":"x"})
      PEACE = JSON.parse(TEXT, symbolize_names: true)
      BYTES = TEXT.b.each_char.to_a
      check = lambda do |json, options = {}|
        whole = options[:symbolize_names] == false ? JSON.parse(TEXT) : PEACE
        raise "different: #{json.value.inspect}" unless json.finish == whole
      end
    RUBY

    it "runs all the time, no word is lost" do
      script = run_script(life + <<~RUBY, within: 60)
        GC.stress = true
        json = RAAF::Streaming::PartialJSON.new
        BYTES.each { |byte| json << byte }
        strings = RAAF::Streaming::PartialJSON.new(symbolize_names: false) << TEXT
        failed = (RAAF::Streaming::PartialJSON.new << "[1}").error
        GC.stress = false
        check[json]
        check[strings, symbolize_names: false]
        puts failed
      RUBY

      expect([script.output, script.errors]).to eq(["not valid JSON at byte 2: expected a comma or ]\n", ""])
    end

    it "moves everything, no word is lost" do
      script = run_script(life + <<~RUBY, within: 60)
        old = Array.new(20) { RAAF::Streaming::PartialJSON.new }
        4.times { GC.start } # from here on only the write barriers keep young objects that old ones hold
        BYTES.each_with_index do |byte, i|
          old.each { |json| json << byte }
          Array.new(200) { "garbage" * 3 }
          GC.start(full_mark: false)
          GC.compact if (i % 5).zero?
        end
        old.each { |json| check[json] }
        if GC.respond_to?(:verify_compaction_references)
          options = RUBY_VERSION >= "3.2" ? {expand_heap: true} : {double_heap: true}
          json = RAAF::Streaming::PartialJSON.new
          BYTES.each_slice(9) do |bytes|
            json << bytes.join
            GC.verify_compaction_references(toward: :empty, **options)
          end
          check[json]
        end
        puts "whole"
      RUBY

      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end

    # Readers that are old: what they alone hold is kept by their marks and write barriers, and by nothing else.
    it "runs, nothing is lost that nobody else holds" do
      script = run_script(<<~'RUBY', within: 60)
        long = "of a length that no slot has room for"
        collect = lambda do
          2.times do
            GC.start(full_mark: false)
            Array.new(5_000) { |i| "other text #{i} #{long}" }
          end
          GC.start
        end
        jsons, roots = Array.new(2) { Array.new(300) { RAAF::Streaming::PartialJSON.new(symbolize_names: false) } }
        4.times { GC.start }
        jsons.each { |json| json << "{" }
        roots.each_with_index { |json, i| json << "[#{i}]" }
        collect.call
        jsons.each_with_index { |json, i| json << %("key #{i} #{long}":) }
        collect.call
        jsons.each_with_index { |json, i| json << %("value #{i} #{long}) }
        keys = jsons.map { |json| json.value.shift.first }
        collect.call
        jsons.each_with_index { |json, i| json << %(, and more) << %(","last":[#{i}]}) }
        raise "roots" unless roots.map(&:finish) == Array.new(300) { |i| [i] }
        raise "keys" unless keys == Array.new(300) { |i| "key #{i} #{long}" }
        raise "values" unless jsons.map(&:finish) == Array.new(300) { |i| {"last" => [i]} }
        puts "whole"
      RUBY

      expect([script.output, script.errors]).to eq(["whole\n", ""])
    end

    it "collects many of them, it takes their memory back" do
      script = run_script(<<~RUBY, within: 60)
        50.times { 2_000.times { RAAF::Streaming::PartialJSON.new << '{"a":["half a str' }; GC.start }
        count = ObjectSpace.each_object(RAAF::Streaming::PartialJSON).count
        puts count < 2_100
      RUBY

      expect([script.output, script.errors]).to eq(["true\n", ""])
    end
  end
end
