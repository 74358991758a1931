# frozen_string_literal: true

require "zlib"

module RAAF
  module Testing
    class ModelServer
      # A pleasant made-up answer of 60 to 120 words, the same one for the same prompt, in pieces the size of
      # tokens: a word with the space before it, or part of a long word.
      class DemoAnswer
        # The fewest words an answer is closed with.
        ENOUGH_WORDS = 75
        # Words longer than this (letters) may come in two pieces.
        LONG_WORD = 7

        # The first pattern that the prompt matches decides; an explanation is for all others.
        STYLES = {
          /\b(story|tale|once upon|fable|geschichte|märchen)\b/i => DemoText::STORY,
          /\b(poem|haiku|verse|rhyme|song|gedicht)\b/i => DemoText::POEM,
          /\b(list|ideas?|tips|steps|ways|suggest\w*|things|liste)\b/i => DemoText::LIST
        }.freeze

        TOPIC = /\b(?:about|on|of|for|with|are|is|does)\s+((?:\S+\s+){0,5}?\S+?)\s*[.?!]*\s*\z/i

        private_constant :TOPIC

        # @param prompt [String] decides style, topic and words
        def initialize(prompt)
          @prompt = prompt.scrub
          @seed = Zlib.crc32(@prompt)
        end

        # @return [String] the whole answer
        def text
          compose(Random.new(@seed))
        end

        # @param count [Integer, nil] exactly so many; nil: as many as the text has
        # @return [Array<String>] the answer's pieces
        def tokens(count = nil)
          return cut(text, Random.new(@seed)) unless count

          random = Random.new(@seed)
          pieces = []
          pieces.concat(cut("#{"\n\n" unless pieces.empty?}#{compose(random)}", random)) while pieces.size < count
          pieces.first(count)
        end

        # @return [Random] for whatever else is to be the same for the same prompt
        def random
          Random.new(@seed + 1)
        end

        private

        def compose(random)
          style = STYLES.find { |pattern, _| @prompt.match?(pattern) }&.last || DemoText::EXPLANATION
          closing = style[:closings].sample(random: random)
          parts = [format(style[:openings].sample(random: random), topic: topic(random))]
          style[:middles].shuffle(random: random).each do |sentence|
            break if words([*parts, closing]) >= ENOUGH_WORDS

            parts << sentence
          end
          [*parts, closing].join(style[:separator])
        end

        # Control characters would reach a terminal, so they never come back.
        def topic(random)
          found = @prompt[TOPIC, 1].to_s.gsub(/[[:cntrl:]]|["`<>]/, "")
          (found.empty? || found.length > 60) ? DemoText::TOPICS.sample(random: random) : found
        end

        def words(parts)
          parts.sum { |part| part.split.size }
        end

        def cut(text, random)
          text.scan(/\s*\S+/).flat_map do |word|
            next [word] unless word.length > LONG_WORD && random.rand < 0.6

            at = random.rand(3..(word.length - 3))
            [word[0...at], word[at..]]
          end
        end
      end
    end
  end
end
