# frozen_string_literal: true

# Makes core/grapheme_table.h of the Unicode Character Database: which class of UAX #29, "Grapheme Cluster Boundary
# Rules", a code point has. What code can tell by itself is left out: ASCII, and the Hangul syllables.
class GraphemeTable
  # Grapheme_Cluster_Break's values and ours.
  BREAKS = {"Control" => "CONTROL", "Extend" => "EXTEND", "ZWJ" => "ZWJ", "Regional_Indicator" => "REGIONAL",
            "Prepend" => "PREPEND", "SpacingMark" => "SPACING", "L" => "L", "V" => "V", "T" => "T"}.freeze
  # In the order of the enum. LV, LVT, CR and LF are never in the table.
  CLASSES = %w[OTHER CR LF CONTROL EXTEND ZWNJ ZWJ REGIONAL PREPEND SPACING L V T LV LVT EMOJI CONSONANT
    LINKER].freeze
  # Those whose consonants a virama joins (rule GB9c). Source: UAX #44, Indic_Conjunct_Break, of Unicode 15.1, whose
  # values are made of Script and Indic_Syllabic_Category.
  CONJOINING = %w[Bengali Devanagari Gujarati Malayalam Oriya Telugu].freeze
  ZWNJ = 0x200C

  # @param folder [String] of the database, as Debian's package unicode-data has it
  def initialize(folder)
    @folder = folder
  end

  # @return [String] the header
  def to_s
    <<~C
      /*
       * Made by `rake grapheme_table`; not to be changed by hand.
       *
       * Classes of code points for the rules of UAX #29, from Unicode #{version}: GraphemeBreakProperty.txt,
       * emoji-data.txt (Extended_Pictographic), IndicSyllabicCategory.txt and Scripts.txt. Left out are
       * what grapheme.c tells by itself: ASCII and the Hangul syllables.
       */
      #ifndef RAAF_GRAPHEME_TABLE_H
      #define RAAF_GRAPHEME_TABLE_H

      #include <stdint.h>

      /* clang-format off */
      typedef enum grapheme_class {
          #{CLASSES.each_slice(6).map { |names| names.join(", ") }.join(",\n    ")}
      } grapheme_class_t;

      static const struct grapheme_range {
          uint32_t first, last;
          uint8_t class;
      } grapheme_ranges[] = {
      #{rows.each_slice(3).map { |slice| "    #{slice.join(" ")}" }.join("\n")}
      };
      /* clang-format on */

      #endif
    C
  end

  private

  def version
    File.foreach(path("auxiliary/GraphemeBreakProperty.txt")).first[/(\d+\.\d+\.\d+)/]
  end

  def rows
    by_class = classes.sort.chunk_while { |(a, class_a), (b, class_b)| b == a + 1 && class_a == class_b }
    by_class.map { |run| format("{0x%X, 0x%X, %s},", run.first[0], run.last[0], run[0][1]) }
  end

  # @return [Hash{Integer=>String}] code point => class
  def classes
    found = {}
    each("auxiliary/GraphemeBreakProperty.txt") { |point, value| found[point] = BREAKS[value] if BREAKS.key?(value) }
    each("emoji/emoji-data.txt") { |point, value| found[point] ||= "EMOJI" if value == "Extended_Pictographic" }
    conjuncts { |point, name| found[point] = name }
    found[ZWNJ] = "ZWNJ"
    found.select { |point, _| point > 0x7F }
  end

  def conjuncts
    scripts = {}
    each("Scripts.txt") { |point, script| scripts[point] = true if CONJOINING.include?(script) }
    names = {"Virama" => "LINKER", "Consonant" => "CONSONANT"}
    each("IndicSyllabicCategory.txt") do |point, category|
      yield point, names[category] if scripts[point] && names.key?(category)
    end
  end

  # The lines of a file: "0300..036F ; Extend # comment".
  def each(file)
    File.foreach(path(file)) do |line|
      points, value = line.sub(/#.*/, "").split(";").map(&:strip)
      next unless value

      first, last = points.split("..").map { |point| Integer(point, 16) }
      (first..(last || first)).each { |point| yield point, value }
    end
  end

  def path(file)
    File.join(@folder, file)
  end
end
