# frozen_string_literal: true

# Ways to cut bytes into the pieces in which a parser gets them. The result must be the same for all of them.
module ReplaySplits
  module_function

  # @param bytes [String]
  # @yieldparam pieces [Array<String>] the whole, single bytes, and random pieces; seeded
  # @return [void]
  def each(bytes, seeds: 1..5)
    bytes = bytes.b
    yield [bytes]
    yield bytes.each_char.to_a
    seeds.each { |seed| yield random(bytes, Random.new(seed)) }
  end

  # @return [Array<String>] pieces of 0 to 12 bytes
  def random(bytes, generator)
    pieces = []
    at = 0
    while at < bytes.bytesize
      pieces << bytes.byteslice(at, generator.rand(0..12))
      at += pieces.last.bytesize
    end
    pieces
  end
end
