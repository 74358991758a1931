# frozen_string_literal: true

# What was learnt from the real raaf-core, kept by a gem that behaves as it does at its edges
# (spec/fixtures/made_up_core). Everything happens in a process of its own (spec/fixtures/core_contract.rb), once for
# each way of loading; the examples look at what it reports.
RSpec.describe "this gem with raaf-core's classes" do
  extend MadeUpCore
  include MadeUpCore

  lib = File.join(MadeUpCore::ROOT, "lib")
  contract = "load #{File.expand_path("../../fixtures/core_contract.rb", __dir__).inspect}"
  both = %w[raaf-core raaf-streaming]

  # How it is loaded => what the process is given, made in a folder.
  ways = {
    "after raaf-core" => ->(folder) { {load_path: [File.join(write_core(folder), "lib"), lib], requires: both} },
    "before raaf-core, whose files it shadows" => lambda do |folder|
      {load_path: [lib, File.join(write_core(folder), "lib")], requires: both.reverse}
    end,
    "in a bundle" => lambda do |folder|
      gems = [["raaf-streaming", MadeUpCore::ROOT], ["raaf-core", write_core(File.join(folder, "core"))]]
      {env: bundle(folder, *gems), requires: ["bundler/setup", *both.reverse]}
    end
  }

  ways.each do |way, setting|
    describe "loaded #{way}" do
      before(:context) do
        Dir.mktmpdir("raaf-core") do |folder|
          @facts = run_ruby(contract, **instance_exec(File.realpath(folder), &setting))
        end
      end

      define_method(:fact) { |name| @facts.fetch(name.to_s) }

      it "asks with the agent's instructions, settings and model settings" do
        expect(fact(:request)["body"]).to eq(
          "model" => "gpt-4o", "temperature" => 0.5, "top_p" => 0.1, "max_output_tokens" => 9, "a" => 1,
          "stream" => true, "store" => false, "instructions" => "For Ann",
          "input" => [{"role" => "user", "content" => "Hi"}]
        )
        expect(fact(:request)).to include("header" => "b", "key" => "Bearer sk-contract-key")
      end

      it "answers as its runner does" do
        messages = [{"role" => "user", "content" => "Hi"}, {"role" => "assistant", "content" => "Hello"}]
        expect(fact(:result)).to eq("text" => "Hello", "messages" => messages, "list" => messages, "turns" => 1,
          "success" => true, "agent" => true, "total" => "Integer")
        expect(fact(:result_methods)).to eq([[], []])
      end

      it "goes on from the messages of its results" do
        expect(fact(:conversation)).to eq(4)
      end

      it "adds run and provider to its agents, shows no key, and leaves their tools' names alone" do
        expect(fact(:own_methods)).to eq("text" => "own", "key_shown" => false, "tool" => "22 celsius in Paris")
      end

      it "honours its guardrails, and sends nothing then" do
        expect(fact(:guardrail)).to eq(["RAAF::Errors::InputGuardrailError", "long", "short", 0])
      end

      it "calls its hooks with its context" do
        expect(fact(:hooks)).to eq([["start", "RAAF::RunContextWrapper", "A", 1, 1], ["end", "A", "x", 1]])
      end

      it "calls its hooks for every request, tool and handoff, with one context" do
        calls, told = fact(:hooks_of_turns)
        start = ["start", "RAAF::RunContextWrapper"]
        expect(calls).to eq([
          [*start, "A", 1, 1],
          ["tool_start", "A", "RAAF::FunctionTool", "weather", {"city" => "Rome"}],
          ["tool_end", "A", "weather", "22 celsius in Rome"],
          [*start, "A", 2, 3],
          ["tool_start", "A", "RAAF::FunctionTool", "failing", {}],
          ["tool_error", "A", "failing", "RAAF::Errors::ToolError"],
          [*start, "A", 3, 5], %w[handoff A B],
          [*start, "B", 4, 7], ["end", "B", "B here", 4]
        ])
        expect(told).to eq(%w[A RAAF::RunContextWrapper])
      end

      it "lets its output guardrails filter every answer of a run" do
        expect(fact(:output_guardrail)).to eq("text" => "For ***: ask ***", "said" => ["For ***: ", "ask ***"],
          "sent" => false)
      end

      it "describes its tools by the inner part alone, and leaves hosted ones as they are" do
        tools = fact(:tools)
        expect(tools.map { |tool| tool["name"] || tool["type"] })
          .to eq(%w[mine file_search web_search weather transfer_to_other_agent])
        expect(tools[1..2].map(&:keys)).to eq([%w[type], %w[type web_search]])
        expect(tools).to all(satisfy { |tool| !tool.key?("function") })
        expect(tools[3]["parameters"]).to include("type" => "object", "required" => ["city"],
          "additionalProperties" => false)
      end

      it "can call its tools with keywords, and translates what they raise" do
        expect(fact(:tool_call)).to eq(
          "result" => "22 celsius in Paris",
          "handoff" => {"__raaf_handoff__" => "TrueClass", "target_agent" => "RAAF::Agent", "handoff_data" => "Hash",
                        "handoff_reason" => "String"},
          "error" => ["RAAF::Errors::ToolError", "f", "RAAF::ToolError", "boom 1"]
        )
      end

      it "runs its tools, and tells the model what came of them" do
        expect(fact(:tool_loop)["outputs"]).to match(
          "weather" => "22 celsius in Rome", "counter" => "2", "placed" => "at X", "mine" => "q",
          "failing" => /no network/, "off" => /does not exist/, "wrong" => /n must be integer/
        )
        expect(fact(:tool_loop)).to include("text" => "So: done", "turns" => 2, "results" => 7,
          "roles" => ["user", "assistant", *["tool"] * 7, "assistant"],
          "offered" => [nil, "weather", "counter", "placed", "failing", "mine"],
          "error" => ["RAAF::Errors::ToolError", "RAAF::ToolError", "IOError", true])
      end

      it "stops at its agents' max_turns with what its families rescue" do
        expect(fact(:max_turns)).to eq(["RAAF::Errors::MaxTurnsError", 2, [true, true, false]])
      end

      it "follows the handoffs behind the tools that its agents have for them" do
        expect(fact(:handoffs)).to eq(
          {"Other Agent" => "other_agent", "XMLParser" => "xml_parser", "a-b.c" => "a_b_c", " Pad " => "pad"}
            .to_h { |name, tool| [name, [[["transfer_to_#{tool}"], "I am #{name}", 2, true]] * 2] }
        )
      end

      it "honours the names, overrides and callbacks of its Handoff" do
        expect(fact(:handoff_object)).to eq("said" => [["escalate"], "I know", 2, "Other"],
          "seen" => [{"input" => "x", "filtered" => true}], "sent" => {"temperature" => 0.7, "top_p" => 0.2},
          "kept" => 0.1)
      end

      it "stays where a handoff's callback raises, and tells the model" do
        expect(fact(:handoff_that_fails)).to match(["A", {"transfer_to_b" => /engaged/}])
      end

      it "raises what each of its families rescues" do
        expect(fact(:errors)).to eq("401" => [], "404" => [], "429" => [], "500" => [])
      end

      it "raises nothing that another error's family rescues, and leaves theirs alone" do
        expect(fact(:errors_of_others)).to eq([[], false, true])
      end

      it "extends its RAAF::Errors, and keeps what is there" do
        expect(fact(:errors_module)).to eq([nil, nil, true, "RAAF::Error"])
      end

      it "makes its providers stream, with their own keys and addresses" do
        expect(fact(:providers)).to eq(
          "groq" => [true, "https://api.groq.com/openai/v1/chat/completions", "Bearer sk-groq-key"],
          "perplexity" => [true, "https://api.perplexity.ai/chat/completions", "Bearer sk-pplx-key"],
          "openai" => [true, "/responses", "Bearer sk-contract-key"]
        )
      end

      it "drives by stream_completion those that speak a dialect of their own" do
        expect(fact(:cohere)).to eq(["from Cohere", "stop", "cohere"])
        expect(fact(:driven)).to eq("Hello")
      end

      it "translates what they raise" do
        expect(fact(:driven_error))
          .to eq(["RAAF::Errors::RateLimitError", 7, "RAAF::Models::RateLimitError", true])
      end

      it "lets them try again before they have said something, and never after" do
        expect(fact(:driven_retry)).to eq(["once", "RAAF::Errors::TruncatedStreamError", "Hello"])
      end

      it "shadows none of its files" do
        expect(fact(:files)).to eq(["gpt-4", true, false, 1])
      end

      it "takes none of its names" do
        expect(fact(:names)).to eq([true, "constant", "Module", false, "RAAF::Streaming::Providers::OpenAIChat"])
      end
    end
  end
end
