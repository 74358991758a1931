# frozen_string_literal: true

# All providers, by their own names; {RAAF::Models} has them under those that raaf-core uses, where that is absent.
require_relative "providers/openai_chat"
require_relative "providers/openai_responses"
require_relative "providers/anthropic"
require_relative "providers/gemini"
require_relative "providers/ollama"
require_relative "providers/groq"
require_relative "providers/openrouter"
require_relative "providers/deepseek"
require_relative "providers/mistral"
require_relative "providers/xai"
require_relative "providers/perplexity"
require_relative "providers/together"
require_relative "providers/azure_openai"
require_relative "providers/openai_compatible"
