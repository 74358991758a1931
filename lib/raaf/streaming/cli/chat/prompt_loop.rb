# frozen_string_literal: true

module RAAF
  module Streaming
    class CLI
      class Chat
        # Asks for prompts in a terminal until Ctrl-D, or Ctrl-C twice. Ctrl-C during an answer stops the answer only.
        class PromptLoop
          # What stands before the cursor.
          MARK = "> "

          # @param conversation [Conversation]
          # @param input [IO] a terminal
          # @param output [IO]
          # @param errors [IO]
          def initialize(conversation, input, output, errors)
            @conversation = conversation
            @input = input
            @output = output
            @errors = errors
          end

          # @return [Integer] exit status
          def run
            interrupted = false
            loop do
              line = read&.strip
              interrupted = false
              break unless line

              answer(line) unless line.empty?
            rescue Interrupt
              break if interrupted

              interrupted = true
              @errors.puts("", "(Ctrl-C again, or Ctrl-D, ends the chat)")
            end
            @errors.puts
            0
          end

          private

          def read
            return read_plain unless line_editing?

            require "reline"
            Reline.readline(MARK, true)
          end

          # Reline asks the terminal where its cursor is, and waits for ever for one that cannot tell.
          def line_editing?
            @output.tty? && !["", "dumb"].include?(ENV["TERM"].to_s)
          end

          def read_plain
            @errors.write(MARK)
            @input.gets
          end

          # One answer that fails does not end the conversation.
          def answer(line)
            @errors.puts("(stopped)") if @conversation.ask(line) == :stopped
          rescue Errors::Error => e
            @errors.puts("raaf-stream: #{e.message.gsub(/\s+/, " ")}")
          end
        end
      end
    end
  end
end
