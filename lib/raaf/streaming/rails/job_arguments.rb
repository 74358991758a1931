# frozen_string_literal: true

module RAAF
  module Streaming
    # What the arguments of a job are called, by the parameters of its `perform`.
    #
    # @api private
    module JobArguments
      # @param job [ActiveJob::Base]
      # @return [Hash{Symbol=>Object}] name => argument
      def self.of(job)
        parameters = parameters_of(job)
        positional = job.arguments.dup
        takes_keywords = parameters.any? { |kind, _| %i[key keyreq keyrest].include?(kind) }
        keywords = (takes_keywords && positional.last.is_a?(Hash)) ? positional.pop : {}
        bind(parameters, positional).merge(keywords.select { |name, _| name.is_a?(Symbol) })
      end

      # Of the application's own method, also where a module that is prepended (tracers do it) takes anything.
      def self.parameters_of(job)
        method = job.method(:perform)
        while method&.parameters&.all? { |kind, _| %i[rest keyrest block].include?(kind) }
          method = method.super_method
        end
        method ? method.parameters : []
      end
      private_class_method :parameters_of

      # As Ruby does: optional ones get what the required ones leave.
      def self.bind(parameters, arguments)
        spare = arguments.size - parameters.count { |kind, _| kind == :req }
        before = parameters.take_while { |kind, _| kind != :rest }
        bound = before.select { |kind, _| kind == :req || (kind == :opt && (spare -= 1) >= 0) }
        bound.map(&:last).zip(arguments).to_h
      end
      private_class_method :bind
    end
  end
end
