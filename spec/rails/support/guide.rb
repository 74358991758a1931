# frozen_string_literal: true

# The streaming guide: the code that its readers paste. It is no part of this repository; it stands in a folder beside
# the checkout, and examples that need it are skipped where it is absent.
module Guide
  PATH = File.expand_path("../../../../shared/guide.md", __dir__)
  ABSENT = "no guide at ../shared/guide.md"
  # A block of code that begins by the name of its file.
  BLOCK = /^```(?:ruby|javascript)\n((?:#|\/\/) (\S+)\n.*?)^```$/m

  module_function

  # @return [Boolean]
  def here?
    File.file?(PATH)
  end

  # @param path [String] as the guide names the file, such as "app/channels/agent_channel.rb"
  # @return [String] the file, byte for byte
  # @raise [KeyError] where the guide has none of that name
  def file(path)
    files.fetch(path)
  end

  # @return [Hash{String=>String}] path => content
  def files
    @files ||= File.read(PATH).scan(BLOCK).to_h { |content, path| [path, content] }
  end
end
