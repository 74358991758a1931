# frozen_string_literal: true

# In another process, where jobs have one.
class WorkflowJob < ApplicationJob
  def perform(session, words, type)
    Workflow.run(session, words, type)
  end
end
