# frozen_string_literal: true

# What a reader has the guide's AgentOrchestrator do.
module Workflow
  def self.run(session, words, type)
    orchestrator = AgentOrchestrator.new(session_id: session)
    %w[Biologist Poet].each do |name|
      orchestrator.add_agent(name.downcase.to_sym,
        RAAF::Agent.new(name: name, instructions: "You are the #{name}.", model: "gpt-4o"))
    end
    orchestrator.start_workflow(words, workflow_type: type.to_sym)
  end
end
