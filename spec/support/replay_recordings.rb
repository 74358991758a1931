# frozen_string_literal: true

require "json"

# Real streams that were recorded elsewhere. They are no part of this repository: they stand in a folder beside the
# checkout, and specs that need them are skipped where it is absent.
class ReplayRecordings
  FOLDER = File.expand_path("../../../shared/replay", __dir__)
  MANIFEST = File.join(FOLDER, "manifest.json")
  ABSENT = "no recorded streams at ../shared/replay"
  CHAT = %r{chat/completions\z}
  ANTHROPIC = %r{/v1/messages\z}
  GEMINI = /:streamGenerateContent\b/
  OLLAMA = %r{/api/chat\z}

  LINE_ENDS = {"LF" => "\n", "CRLF" => "\r\n", "CR" => "\r"}.freeze

  # One stream.
  Recording = Struct.new(:file, :provider) do
    # @param line_end [String] in place of those that were recorded
    # @return [String] binary
    def bytes(line_end = "\n")
      File.binread(File.join(FOLDER, file)).gsub(/\r\n?|\n/n, line_end)
    end

    # Some addresses of the manifest answered in another format than their path says.
    def chat?
      File.binread(File.join(FOLDER, file)).match?(/^data: ?\{.*"choices":/n)
    end

    def responses?
      File.binread(File.join(FOLDER, file)).match?(/^data: ?\{"type":"response\.created"/n)
    end
  end

  class << self
    # @return [Array<Recording>] those in the format of OpenAI's chat completions; none where the folder is absent
    def openai_chat
      listed { |entry| CHAT.match?(entry["uri"]) }.select(&:chat?)
    end

    # @return [Array<Recording>] those in the format of Anthropic's Messages
    def anthropic
      listed { |entry| ANTHROPIC.match?(entry["uri"]) }
    end

    # @return [Array<Recording>] those of Gemini
    def gemini
      listed { |entry| GEMINI.match?(entry["uri"]) }
    end

    # @return [Array<Recording>] those of Ollama's own API
    def ollama
      listed { |entry| OLLAMA.match?(entry["uri"]) }
    end

    # @return [Array<Recording>] those in the format of OpenAI's Responses; none where the folder is absent
    def openai_responses
      listed { true }.uniq(&:file).select(&:responses?)
    end

    private

    # @return [Array<Recording>] whole answers that the block wants
    def listed(&wanted)
      return [] unless File.file?(MANIFEST)

      entries = JSON.parse(File.read(MANIFEST)).select { |entry| entry["status"] == 200 }.select(&wanted)
      entries.map { |entry| Recording.new(entry["file"], entry["provider"]) }
    end
  end
end
