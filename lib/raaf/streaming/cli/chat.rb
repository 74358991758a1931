# frozen_string_literal: true

require_relative "chat/conversation"
require_relative "chat/prompt_loop"
require_relative "chat/status_line"

module RAAF
  module Streaming
    class CLI
      # `raaf-stream chat`: streams a model's answers to the terminal. With a prompt, or with text on stdin, it
      # answers once; in a terminal without a prompt it goes on asking.
      class Chat
        # The model that is asked where none is named.
        MODEL = "gpt-4o"
        # Local servers want no key, but a client always sends one.
        NO_KEY = "none"
        # Exit status of a program that Ctrl-C ended, as shells have it.
        INTERRUPTED = 130

        # @param input [IO]
        # @param output [IO] gets the answers and nothing else
        # @param errors [IO] gets the status line, figures and errors
        def initialize(input:, output:, errors:)
          @input = input
          @output = output
          @errors = errors
          @options = {model: MODEL, status: true}
        end

        # @param arguments [Array<String>]
        # @return [Integer] exit status
        # @raise [OptionParser::ParseError] for wrong options
        # @raise [Failure] where the answer cannot be had
        def run(arguments)
          words = parser.parse(arguments)
          return help if @options[:help]

          load_library
          check_key
          @output.sync = true
          prompt = words.empty? ? piped_prompt : words.join(" ")
          prompt ? answer_once(prompt) : PromptLoop.new(conversation, @input, @output, @errors).run
        end

        private

        def parser
          OptionParser.new do |parser|
            parser.banner = "Usage: raaf-stream chat [options] [PROMPT…]"
            parser.on("--model NAME",
              "default: #{MODEL}; finds its provider: claude-…, groq/…") do |name|
              @options[:model] = name
            end
            parser.on("--base-url URL", "of an OpenAI-compatible server") { |url| @options[:base_url] = url }
            parser.on("--instructions TEXT", "how the model is to behave") { |text| @options[:instructions] = text }
            parser.on("--no-status", "no waiting time and no figures") { @options[:status] = false }
            parser.on("-h", "--help", "this text") { @options[:help] = parser.help }
          end
        end

        def help
          @output.puts(@options[:help], "", "Without PROMPT: reads it from stdin, or asks for it in a terminal.",
            "The key is read from the provider's variable (OPENAI_API_KEY, ANTHROPIC_API_KEY …). A server that speaks",
            "OpenAI's chat completions is named by --base-url or OPENAI_BASE_URL.")
          0
        end

        # Writes a question, and sends nothing: a key that is missing is told at once.
        def check_key
          return if base_url

          provider = Models.for_model(@options[:model])
          provider.build_request(messages: [{role: "user", content: "?"}], model: Models.model_name(@options[:model]))
        rescue Errors::ConfigurationError => e
          raise Failure, "#{e.message}. To try it without one, run raaf-stream serve in another terminal and give " \
            "its address: raaf-stream chat --base-url http://127.0.0.1:PORT/v1"
        rescue Errors::Error, ArgumentError => e
          raise Failure, e.message
        end

        def key
          from_environment("OPENAI_API_KEY")
        end

        def base_url
          @options[:base_url] || from_environment("OPENAI_BASE_URL")
        end

        def from_environment(name)
          value = ENV[name].to_s.strip
          value unless value.empty?
        end

        # Serving and `--help` must work where the extension was not compiled, so it is loaded only here.
        def load_library
          require_relative "../../../raaf-streaming"
        rescue LoadError => e
          raise Failure, "the native extension cannot be loaded (#{e.message}); compile it with bin/setup, or " \
            "reinstall the gem"
        end

        # @return [String, nil] nil in a terminal
        def piped_prompt
          return if @input.tty?

          text = Conversation.utf8(@input.read).strip
          raise Failure.new("nothing to ask: stdin is empty; give a PROMPT", status: 2) if text.empty?

          text
        end

        def answer_once(prompt)
          (conversation.ask(prompt) == :stopped) ? INTERRUPTED : 0
        rescue Errors::Error => e
          raise Failure, e.message
        end

        def conversation
          status = StatusLine.new(@errors) if @options[:status] && @errors.tty?
          Conversation.new(runner, output: @output, status: status)
        end

        def runner
          provider = Streaming::Providers::OpenAIChat.new(api_key: key || NO_KEY, base_url: base_url) if base_url
          agent = Agent.new(name: "Chat", instructions: @options[:instructions], model: @options[:model],
            provider: provider)
          AsyncRunner.new(agent: agent)
        rescue Errors::Error, ArgumentError => e
          raise Failure, e.message
        end
      end
    end
  end
end
