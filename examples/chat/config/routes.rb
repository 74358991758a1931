# frozen_string_literal: true

Rails.application.routes.draw do
  root "chat#show"
  delete "conversation", to: "chat#destroy"
  get "up", to: "rails/health#show"
end
