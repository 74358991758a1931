# frozen_string_literal: true

module RAAF
  module Streaming
    class CLI
      class Chat
        # What has been said, and how an answer is shown while it comes.
        class Conversation
          # What a model could do harm with in a terminal: everything that is no text, line break or tab.
          CONTROL = /[[:cntrl:]&&[^\n\t]]/

          # Text from outside as UTF-8, whatever the locale says.
          # @param text [String]
          # @return [String]
          def self.utf8(text)
            text.dup.force_encoding(Encoding::UTF_8).scrub
          end

          # @return [Array<Hash>] the conversation so far
          attr_reader :messages

          # @param runner [AsyncRunner]
          # @param output [IO]
          # @param status [StatusLine, nil] nil: neither waiting time nor figures
          def initialize(runner, output:, status: nil)
            @runner = runner
            @output = output
            @status = status
            @messages = []
          end

          # Asks, and writes the answer while it comes. An answer that failed leaves no trace in the conversation;
          # one that was stopped stays as far as it came.
          # @param prompt [String]
          # @return [Symbol] :complete, or :stopped by Ctrl-C
          # @raise [Errors::Error] where the answer fails
          # @raise [Errno::EPIPE] where nobody reads it
          def ask(prompt)
            asked = @messages + [{role: "user", content: self.class.utf8(prompt)}]
            @text = +""
            @status&.start
            stream = @runner.stream(asked)
            stream.each { |chunk| show(chunk) }
            end_line
            @status&.summary(stream.result.usage[:completion_tokens])
            @messages = stream.result.to_input_list
            :complete
          rescue Interrupt
            stop(stream, asked)
          rescue Errors::Error
            end_line if @output.tty? && !@text.empty? # the error stands on a line of its own
            raise
          ensure
            @status&.stop
          end

          private

          def show(chunk)
            @status&.thinking if chunk.type == :reasoning
            return unless chunk.type == :content || chunk.type == :refusal
            return if chunk.delta.empty?

            @status&.token
            @text << chunk.delta
            @output.write(@output.tty? ? chunk.delta.gsub(CONTROL, "") : chunk.delta)
          end

          def end_line
            @output.write("\n") unless @text.end_with?("\n")
          end

          def stop(stream, asked)
            stream&.cancel
            @status&.stop
            end_line
            @messages = asked
            @messages += [{role: "assistant", content: @text}] unless @text.empty?
            :stopped
          end
        end
      end
    end
  end
end
