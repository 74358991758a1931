# frozen_string_literal: true

# A question that is being answered: the conversation has it only when the answer is there, and a page that is loaded
# meanwhile shows it by this.
class Question < ApplicationRecord
end
