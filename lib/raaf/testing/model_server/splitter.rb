# frozen_string_literal: true

module RAAF
  module Testing
    class ModelServer
      # Cuts bytes into the pieces that are written one by one. The cuts fall anywhere, also inside a
      # character or between CR and LF.
      class Splitter
        # The longest piece of a random cut, in bytes.
        RANDOM_MAX = 16

        # @param spec [nil, Symbol, Integer, Array<Integer>, Hash] nil or :whole: one piece; :bytewise;
        #   n: pieces of n bytes; [1, 5, …]: these sizes, the rest in one piece; {random: seed}: pieces of
        #   1 to {RANDOM_MAX} bytes ({random: seed, max: n}: up to n), the same ones for the same seed
        # @raise [ArgumentError] for anything else
        def initialize(spec)
          @spec = spec
          valid = [nil, :whole, :bytewise].include?(spec) || positive?(spec) || sizes?(spec) || random?(spec)
          raise ArgumentError, "no way to split: #{spec.inspect}" unless valid

          @sizes = spec.dup if sizes?(spec)
          @random = Random.new(spec.fetch(:random)) if random?(spec)
        end

        # Sizes given as an Array go on where the last call stopped.
        # @param bytes [String]
        # @yieldparam piece [String]
        # @return [void]
        def each_piece(bytes)
          at = 0
          while at < bytes.bytesize
            size = next_size || bytes.bytesize
            yield bytes.byteslice(at, size)
            at += size
          end
        end

        private

        def next_size
          return 1 if @spec == :bytewise
          return @spec if @spec.is_a?(Integer)
          return @sizes.shift if @sizes

          @random&.rand(1..@spec.fetch(:max, RANDOM_MAX))
        end

        def positive?(spec)
          spec.is_a?(Integer) && spec.positive?
        end

        def sizes?(spec)
          spec.is_a?(Array) && spec.all? { |size| positive?(size) }
        end

        def random?(spec)
          spec.is_a?(Hash) && spec.fetch(:random, nil).is_a?(Integer) && positive?(spec.fetch(:max, RANDOM_MAX))
        end
      end
    end
  end
end
