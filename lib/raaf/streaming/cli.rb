# frozen_string_literal: true

require "optparse"
require_relative "version"

module RAAF
  module Streaming
    # The command `raaf-stream`: finds the subcommand and runs it.
    #
    # Exit statuses: 0 done; 1 it failed, and a line on stderr says why; 2 wrong usage; 130 stopped by Ctrl-C.
    class CLI
      # What a subcommand raises to end with one line on stderr.
      class Failure < StandardError
        # @return [Integer] the exit status
        attr_reader :status

        # @param message [String] what happened and what to do
        # @param status [Integer]
        def initialize(message, status: 1)
          super(message)
          @status = status
        end
      end

      # Subcommand => the file below cli/, its class, what it does. Files are loaded at need: serving needs
      # no native extension.
      COMMANDS = {
        "serve" => ["serve", :Serve, "run a local model server that streams made-up answers"],
        "chat" => ["chat", :Chat, "talk to a model in the terminal"]
      }.freeze

      # @param arguments [Array<String>]
      # @param input [IO]
      # @param output [IO]
      # @param errors [IO]
      # @return [Integer] exit status
      def self.run(arguments, input: $stdin, output: $stdout, errors: $stderr)
        new(input: input, output: output, errors: errors).run(arguments)
      end

      # @param input [IO]
      # @param output [IO]
      # @param errors [IO]
      def initialize(input:, output:, errors:)
        @input = input
        @output = output
        @errors = errors
      end

      # @param arguments [Array<String>] subcommand first
      # @return [Integer] exit status
      def run(arguments)
        name, *rest = arguments
        return usage(@output, 0) if ["-h", "--help", "help"].include?(name)
        return version if ["-v", "--version"].include?(name)

        file, constant, = COMMANDS.fetch(name) { return unknown(name) }
        require_relative "cli/#{file}"
        CLI.const_get(constant).new(input: @input, output: @output, errors: @errors).run(rest)
      rescue OptionParser::ParseError => e
        fail_with("#{e.message}; see raaf-stream #{name} --help", 2)
      rescue Failure => e
        fail_with(e.message, e.status)
      rescue Errno::EPIPE
        0 # whoever read the output has seen enough
      rescue Interrupt
        130 # as shells have it
      end

      private

      def version
        @output.puts("raaf-stream #{VERSION}")
        0
      end

      def unknown(name)
        @errors.puts("raaf-stream: unknown command #{name}", "") if name
        usage(@errors, 2)
      end

      def usage(out, status)
        out.puts("Usage: raaf-stream COMMAND [options]", "")
        COMMANDS.each { |name, (_, _, text)| out.puts(format("  %-8s %s", name, text)) }
        out.puts("", "raaf-stream COMMAND --help shows a command's options.")
        status
      end

      def fail_with(message, status)
        @errors.puts("raaf-stream: #{message.gsub(/\s+/, " ")}")
        status
      rescue Errno::EPIPE
        status
      end
    end
  end
end
