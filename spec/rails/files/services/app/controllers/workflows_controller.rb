# frozen_string_literal: true

# Workflows of the guide's AgentOrchestrator, for who has joined.
class WorkflowsController < ApplicationController
  def join
    RAAF::Streaming::Memberships.current.join(params[:id], session[:user_id])
    head :ok
  end

  # To its end, in this request.
  def start
    orchestrator = AgentOrchestrator.new(session_id: params[:id])
    %w[Biologist Poet].each do |name|
      orchestrator.add_agent(name.downcase.to_sym,
        RAAF::Agent.new(name: name, instructions: "You are the #{name}.", model: "gpt-4o"))
    end
    orchestrator.start_workflow(params[:words], workflow_type: params[:type].to_sym)
    head :ok
  end
end
