# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # The sentences that {DemoAnswer} composes its answers of. Every style has openings, middles and
      # closings; `%<topic>s` is what the prompt is about.
      module DemoText
        # What an answer is about where the prompt does not say.
        TOPICS = ["patience", "a good morning", "small beginnings", "the sea", "an open window", "long walks"].freeze

        # A small story.
        STORY = {
          separator: " ",
          openings: [
            "Once, in a town where the river took the long way round, everyone had an opinion about %<topic>s.",
            "On the last warm evening of the year, somebody knocked at the lighthouse door and asked about %<topic>s.",
            "Nobody on the night train expected the story to be about %<topic>s, least of all the conductor."
          ],
          middles: [
            "Mara, who repaired clocks and never wore one, was the first to listen properly.",
            "She put down her tools, opened the window, and let the sound of the water in.",
            "Outside, the ferry rang its bell twice, which in that town meant that somebody was coming home.",
            "There was a map, of course, but it had been folded so often that two of its roads had met.",
            "They followed the smell of bread and rain until the street turned into a path.",
            "An old dog joined them without being asked and walked ahead as if it knew the ending.",
            "Halfway up the hill they stopped, because the view deserved at least that much.",
            "What they found was smaller than they had imagined, and a good deal kinder.",
            "Nobody spoke for a while, and it was the comfortable sort of silence.",
            "The light went round, once for the boats, once for the people who were waiting for them."
          ],
          closings: [
            "By morning the whole town told it differently, and every version was a little bit true.",
            "When they came back, nothing had changed, except that now they knew where to look.",
            "And if you pass that way in autumn, you can still hear the bell, twice, just before it gets dark."
          ]
        }.freeze

        # A list of advice.
        LIST = {
          separator: "\n",
          openings: [
            "Here are some thoughts on %<topic>s, in the order in which they tend to help:\n",
            "A short list about %<topic>s, made to be used and not to be admired:\n"
          ],
          middles: [
            "- Begin with the smallest part that you can finish today.",
            "- Write down what you expect before you look; surprises are information.",
            "- Ask someone who did it last year, and bring cake.",
            "- Leave room for things to go wrong, because some of them will.",
            "- Do the dull part early, while the coffee still works.",
            "- Change one thing at a time, and keep a note of which one it was.",
            "- Take a walk before you take a decision.",
            "- Show an unfinished version to somebody who will be honest.",
            "- Stop while you still know what comes next; tomorrow will thank you.",
            "- Celebrate quietly, then put the tools back where they belong."
          ],
          closings: [
            "\nPick one of them, try it for a week, and let the others wait for their turn.",
            "\nNone of it is difficult; the trick is to do it on an ordinary Tuesday."
          ]
        }.freeze

        # Couplets.
        POEM = {
          separator: "\n",
          openings: [
            "They asked me for a word on %<topic>s,\nI looked out at the rain instead.",
            "Between two stations, half asleep,\nI thought a while of %<topic>s."
          ],
          middles: [
            "The letters came in, one by one,\nlike swallows home before the sun.",
            "A kettle hummed its only song,\nthe afternoon was wide and long.",
            "The river did not hurry much,\nit gave each stone a passing touch.",
            "Some thoughts arrive, some go astray,\nand some sit down and simply stay.",
            "A lamp across the water burned\nfor everyone who had not returned.",
            "The wind turned over, page by page,\nan atlas of a gentler age.",
            "A bell, a boat, a line of foam,\nthe slow bright sentence going home."
          ],
          closings: [
            "And when the final word was said,\nthe quiet carried on instead.",
            "So read it slowly, let it end\nthe way you part with an old friend."
          ]
        }.freeze

        # What is said where nothing else fits.
        EXPLANATION = {
          separator: " ",
          openings: [
            "The short answer about %<topic>s is that it depends, and the interesting part is what it depends on.",
            "Most people meet %<topic>s from the wrong side, so let us walk around it once.",
            "There is a simple way to think about %<topic>s, and it starts with something you already know."
          ],
          middles: [
            "Picture water in a pipe: it does not wait until the tank is empty before it begins to arrive.",
            "Every piece is useful on its own, and together they make a whole that nobody had to wait for.",
            "The details matter less than the rhythm; once you notice it, you see it everywhere.",
            "A good question is usually half of the work, and yours was a good one.",
            "If two explanations fit, keep the one that you could tell to a friend on the stairs.",
            "The surprising thing is how little effort it takes once the first step is made.",
            "Experts disagree about the names, yet they do remarkably similar things.",
            "It helps to try it on a small example before you trust it with a large one.",
            "What looks like a rule at first often turns out to be a habit with a good reputation."
          ],
          closings: [
            "Try it once with your own hands; that explains more than I can from here.",
            "And if that raises new questions, so much the better: ask away.",
            "That is the heart of it, and the rest you can pick up along the way."
          ]
        }.freeze
      end
    end
  end
end
