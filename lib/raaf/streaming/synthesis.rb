# frozen_string_literal: true

require_relative "core_seam"
require_relative "messages"

module RAAF
  module Streaming
    # How one agent's answer becomes what the next one is asked, in a pipeline and where several answers become one.
    #
    # @api private
    module Synthesis
      # The name of the agent that makes one answer of several.
      NAME = :synthesizer

      # What it is told, where the application has none of its own.
      INSTRUCTIONS = <<~TEXT
        Several agents have worked on the same request, each without knowing of the others. Write one answer for the
        person who made the request: keep what they agree on, weigh what they contradict each other in, and leave
        nothing of value out. Do not mention the agents.
      TEXT

      # What stands behind the conversation that a pipeline hands on. A conversation that ends with an answer would be
      # continued in the middle of that by some models, and is refused by others.
      # Source: Anthropic's API reference, Messages, "Prefill".
      GO_ON = "Go on from here, and do your part."

      # Roles whose words everybody understands. What one agent's tools have said, another's model may refuse to read.
      SPEAKERS = %w[user assistant].freeze
      private_constant :SPEAKERS

      module_function

      # @param answers [Hash{Object=>String}] by the agents' names
      # @param request [String, Array<Hash>, nil] what they were asked; nil: unknown
      # @return [String]
      def prompt(answers, request = nil)
        asked = ["# The request\n\n#{text_of(request)}"] if request
        [*asked, *answers.map { |name, answer| "# What #{name} answers\n\n#{answer}" }].join("\n\n")
      end

      # @param like [Agent, nil] whose model and provider it asks; nil: the default ones
      # @return [Agent]
      def agent(like = nil)
        model = like ? {model: like.model} : {}
        RAAF::Agent.new(name: NAME.to_s, instructions: INSTRUCTIONS, **model).tap do |made|
          made.provider = like.provider if like
        end
      end

      # @param messages [Array<Hash{Symbol=>Object}>] a result's
      # @return [Array<Hash{Symbol=>Object}>] the words in it, and the request to go on
      def handed_on(messages)
        spoken = messages.select { |one| SPEAKERS.include?(one[:role].to_s) && !one[:content].to_s.empty? }
        spoken.map { |one| one.slice(:role, :name, :content) } + [{role: "user", content: GO_ON}]
      end

      # @param request [String, Array<Hash>]
      # @return [String] the words of the last message of it
      def text_of(request)
        content = Messages.list(request).last&.fetch(:content, nil)
        return content.to_s unless content.is_a?(Array)

        content.filter_map { |part| part[:text] || part["text"] }.join("\n")
      end
    end
  end
end
