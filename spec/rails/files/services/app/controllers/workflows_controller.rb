# frozen_string_literal: true

# Workflows of the guide's AgentOrchestrator, for who has joined.
class WorkflowsController < ApplicationController
  def join
    RAAF::Streaming::Memberships.current.join(params[:id], session[:user_id])
    head :ok
  end

  # To its end, in this request.
  def start
    Workflow.run(params[:id], params[:words], params[:type])
    head :ok
  end

  def enqueue
    WorkflowJob.perform_later(params[:id], params[:words], params[:type])
    head :accepted
  end
end
