# frozen_string_literal: true

# The Makefile that mkmf writes names each source file and bakes in the switches. Neither make nor rake-compiler sees
# that it is out of date when a file is added or a switch changes, so this stamp does: written only when its content
# changes, and every Makefile depends on it.
stamp = "#{BUILD_DIR}/compile-inputs"
inputs = [*Dir.glob("ext/#{EXTENSION}/{.,core}/*.c").sort, "RAAF_DEV=#{ENV["RAAF_DEV"]}",
  "RAAF_SANITIZE=#{ENV["RAAF_SANITIZE"]}", RUBY_DESCRIPTION].join("\n")

unless File.exist?(stamp) && File.read(stamp) == inputs
  mkdir_p BUILD_DIR, verbose: false
  File.write(stamp, inputs)
  # The objects were made with the old switches: a warning let through then must not be let through now.
  rm_f Dir.glob("#{BUILD_DIR}/*/#{EXTENSION}/*/*.o"), verbose: false
end

Rake::Task.tasks.map(&:name).grep(%r{\A#{BUILD_DIR}/.*/Makefile\z}o).each { |makefile| file makefile => stamp }
ENV["MAKEFLAGS"] ||= "-j#{Etc.nprocessors}"
