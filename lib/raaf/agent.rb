# frozen_string_literal: true

require_relative "streaming/core_loader"
# raaf-core has a file of this name, which is the one that was meant.
return if RAAF::Streaming::CoreLoader.load_core

require_relative "streaming/agent_methods"

module RAAF
  # Who answers: a name, instructions, a model, and how to ask it. The stand-in for raaf-core's class, and loaded only
  # where that is absent.
  #
  # Tools are described to the model, and run when it calls them; so are handoffs to other agents, which are tools to
  # the model.
  #
  # @example
  #   agent = RAAF::Agent.new(name: "Assistant", instructions: "Be brief.", model: "gpt-4o", temperature: 0.2)
  #   agent.run("Hello").final_output
  class Agent
    include Streaming::AgentMethods

    # The model of an agent that names none: the one of the streaming guide.
    DEFAULT_MODEL = "gpt-4o"

    # How often a run may ask the model, when tools make it ask again. raaf-core's default.
    DEFAULT_MAX_TURNS = 10

    # @return [String]
    attr_accessor :name
    # @return [String, #call, nil] a text, or something that makes one of the context: it takes no argument, the
    #   context, or the context and the agent
    attr_accessor :instructions
    # @return [String]
    attr_accessor :model
    # @return [Array<Object>] see {Streaming::Tool}
    attr_accessor :tools
    # @return [Array<Agent>]
    attr_accessor :handoffs
    # @return [String, nil] when to hand over to this agent, for the model
    attr_accessor :handoff_description
    # @return [Hash, Object, nil] settings that the agent's own override
    attr_accessor :model_settings
    # @return [#on_start, #on_end, nil] called with context and agent, and at the end the answer
    attr_accessor :hooks
    # @return [Array<#run>] called with context, agent and message of the user; see raaf-core's guardrails
    attr_accessor :input_guardrails
    # @return [Array<#run>] called with context, agent and the whole answer
    attr_accessor :output_guardrails
    # @return [Integer] requests to the model in one run
    attr_accessor :max_turns

    # @!attribute temperature
    #   @return [Float, nil] 0 to 2: how freely the model chooses its words
    # @!attribute top_p
    #   @return [Float, nil] 0 to 1: only the likeliest words that make up this share of the probability
    # @!attribute max_tokens
    #   @return [Integer, nil] tokens of the answer at most; sent as max_completion_tokens where the model wants that
    # @!attribute stop
    #   @return [String, Array<String>, nil] texts that end the answer
    # @!attribute tool_choice
    #   @return [String, Hash, nil] "auto", "none", "required", a tool's name, or OpenAI's Hash
    # @!attribute response_format
    #   @return [Hash, Symbol, nil] a JSON Schema, OpenAI's `{type: "json_schema", json_schema: {name:, schema:}}`, or
    #     `:json`
    # @!attribute parallel_tool_calls
    #   @return [Boolean, nil] whether the model may call several tools at once
    # @!attribute frequency_penalty
    #   @return [Float, nil] -2 to 2
    # @!attribute presence_penalty
    #   @return [Float, nil] -2 to 2
    # @!attribute seed
    #   @return [Integer, nil] for answers that repeat, as far as the provider can
    # @!attribute reasoning_effort
    #   @return [String, nil] such as "low", for models that think
    # @!attribute user
    #   @return [String, nil] an id of the end user, for the provider
    # @!attribute extra_body
    #   @return [Hash, nil] further fields of the request's body; they override, nil removes
    # @!attribute extra_headers
    #   @return [Hash, nil] further headers of the request; they override
    Streaming::AgentMethods::SETTINGS.each do |setting|
      define_method(setting) { @settings[setting] }
      define_method(:"#{setting}=") { |value| @settings[setting] = value }
    end

    # @param name [String]
    # @param instructions [String, #call, nil]
    # @param model [String]
    # @param provider [#build_request, nil] nil: RAAF.provider, else by the model's name
    # @param tools [Array<Object>] see {Streaming::Tool}; Hashes that only describe a tool are the application's to run
    # @param handoffs [Array<Agent>]
    # @param max_turns [Integer]
    # @param handoff_description [String, nil]
    # @param model_settings [Hash, Object, nil]
    # @param hooks [Object, nil]
    # @param input_guardrails [Array<#run>]
    # @param output_guardrails [Array<#run>]
    # @param settings [Hash{Symbol=>Object}] any of {Streaming::AgentMethods::SETTINGS}
    # @yieldparam agent [Agent] to set it up further
    # @raise [ArgumentError] names every unknown setting
    def initialize(name:, instructions: nil, model: DEFAULT_MODEL, provider: nil, tools: [], handoffs: [],
      max_turns: DEFAULT_MAX_TURNS, handoff_description: nil, model_settings: nil, hooks: nil, input_guardrails: [],
      output_guardrails: [], **settings)
      reject_unknown(settings)
      @name = name
      @instructions = instructions
      @model = model
      @provider = provider
      @tools = Array(tools).dup
      @handoffs = Array(handoffs).dup
      @max_turns = max_turns
      @handoff_description = handoff_description
      @model_settings = model_settings
      @hooks = hooks
      @input_guardrails = Array(input_guardrails).dup
      @output_guardrails = Array(output_guardrails).dup
      @settings = settings
      yield self if block_given?
    end

    # @param tool [Object] see {Streaming::Tool}
    # @param options [Hash] as for {Streaming::Tool#initialize}: name, description, parameters, timeout, is_enabled
    # @return [self]
    # @raise [ArgumentError] for a tool that cannot be described
    def add_tool(tool, **options)
      tool = Streaming::Tool.new(tool, **options) unless options.empty?
      Streaming::ToolSchema.of(tool)
      @tools << tool
      self
    end

    # @param agent [Agent] whom the model can hand the conversation over to
    # @return [self]
    def add_handoff(agent)
      @handoffs << agent
      self
    end

    # @return [Boolean] whether it has tools
    def tools?
      tools.any?
    end

    # @return [Boolean] whether it has handoffs
    def handoffs?
      handoffs.any?
    end

    # @param freeze [Boolean, nil] as for Object#clone
    # @param changes [Hash{Symbol=>Object}] what is different, by the names of the setters
    # @return [Agent]
    # @raise [NoMethodError] for a name without a setter
    def clone(freeze: nil, **changes)
      copy = super(freeze: freeze)
      changes.each { |name, value| copy.public_send(:"#{name}=", value) }
      copy
    end

    # @return [Hash{Symbol=>Object}] a copy of the settings that are set
    def settings
      @settings.compact
    end

    private

    def initialize_copy(other)
      super
      @tools = @tools.dup
      @handoffs = @handoffs.dup
      @input_guardrails = @input_guardrails.dup
      @output_guardrails = @output_guardrails.dup
      @settings = @settings.dup
    end

    def reject_unknown(settings)
      unknown = settings.keys - SETTINGS
      return if unknown.empty?

      of_runs = unknown & Streaming::ConfigurationKeys::ALL.keys
      hint = "; a runner or a call takes #{of_runs.join(", ")}" unless of_runs.empty?
      raise ArgumentError, "unknown settings of an agent: #{unknown.join(", ")} (known: #{SETTINGS.join(", ")})#{hint}"
    end
  end
end
