# frozen_string_literal: true

# Loaded only where raaf-core, which has classes of some of these names, is absent.
require_relative "openai_provider"
require_relative "responses_provider"
require_relative "anthropic_provider"
require_relative "gemini_provider"
require_relative "ollama_provider"
require_relative "groq_provider"
require_relative "openrouter_provider"
require_relative "deepseek_provider"
require_relative "mistral_provider"
require_relative "xai_provider"
require_relative "perplexity_provider"
require_relative "together_provider"
require_relative "azure_openai_provider"
require_relative "openai_compatible_provider"
