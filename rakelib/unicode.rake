# frozen_string_literal: true

require_relative "grapheme_table"

desc "Make the table of grapheme clusters anew from a Unicode Character Database (Debian: unicode-data)"
task :grapheme_table, [:folder] do |_task, args|
  args.with_defaults(folder: "/usr/share/unicode")
  File.write("ext/#{EXTENSION}/core/grapheme_table.h", GraphemeTable.new(args[:folder]).to_s)
end
