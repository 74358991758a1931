# frozen_string_literal: true

# Writes JSON documents by chance, the same for a seed: every kind of value, number, escape and white space.
class JSONDocuments
  CHARACTERS = ["a", "Z", " ", "/", "\"", "\\", "\n", "\t", "\b", "\u0000", "\u001F", "\u007F", "é", "ß", "€", "\u2028",
    "\uFEFF", "\uFFFD", "😀", "𝄞", "\u{10FFFF}"].freeze
  NUMBERS = %w[0 -0 7 -12 10 123456789 9223372036854775808 -123456789012345678901234567890 0.5 -0.0 1.0 12.340 1e5 1E5
    1e+2 1.5E-3 -2.5e10 1e400 -1e400 1e-400 0e0 3.141592653589793238462643383279 0.1e1].freeze
  SHORT = {"\"" => "\\\"", "\\" => "\\\\", "/" => "\\/", "\b" => "\\b", "\f" => "\\f", "\n" => "\\n", "\r" => "\\r",
           "\t" => "\\t"}.freeze
  WORDS = %w[true false null].freeze

  # @param seed [Integer]
  # @param same_keys [Boolean] whether a key may come twice in one object
  def initialize(seed, same_keys: false)
    @random = Random.new(seed)
    @same_keys = same_keys
  end

  # @return [String] one document, in UTF-8
  def next
    @keys = 0
    space + value(@random.rand(5)) + space
  end

  private

  def value(depth)
    kinds = %i[string number word]
    kinds += %i[object array] * 3 if depth.positive?
    case kinds.sample(random: @random)
    when :object then "{#{list(depth) { "#{string(key)}#{space}:#{space}#{value(depth - 1)}" }}}"
    when :array then "[#{list(depth) { value(depth - 1) }}]"
    when :string then string(text)
    when :number then NUMBERS.sample(random: @random)
    else WORDS.sample(random: @random)
    end
  end

  def list(depth)
    items = Array.new(@random.rand(5)) { "#{space}#{yield}#{space}" }
    items.empty? ? space : items.join(",")
  end

  def space
    Array.new([0, 0, 0, 1, 3].sample(random: @random)) { [" ", "\n", "\t", "\r"].sample(random: @random) }.join
  end

  def text
    Array.new(@random.rand(9)) { CHARACTERS.sample(random: @random) }.join
  end

  def key
    @same_keys ? ["a", "b", ""].sample(random: @random) : "#{text}#{@keys += 1}"
  end

  def string(text)
    "\"#{text.each_char.map { |char| character(char) }.join}\""
  end

  def character(char)
    must = char < " " || char == "\"" || char == "\\"
    return char if !must && @random.rand(3).positive?
    return SHORT[char] if SHORT[char] && @random.rand(2).zero?

    char.encode(Encoding::UTF_16BE).unpack("n*").map { |unit|
      format(["\\u%04x", "\\u%04X"].sample(random: @random), unit)
    }.join
  end
end
