# frozen_string_literal: true

module RAAF
  module Streaming
    module Generators
      # Has the application's workers take the queues that streams are put into, and undoes that. Adapters that take any
      # queue (async, inline, GoodJob as it comes) need nothing.
      #
      # @api private
      class Queues
        # The guide's three, and the one of the setting chunk_processing_queue.
        ALL = %w[priority_streaming streaming batch_streaming streaming_chunks].freeze

        # @param generator [InstallGenerator]
        def initialize(generator)
          @generator = generator
        end

        # @return [void]
        def install
          revoking = @generator.behavior == :revoke
          [SolidQueueFile, SidekiqFile].each do |kind|
            file = kind.new(@generator)
            revoking ? file.revoke : file.install
          end
        end

        # A worker's file, as text: comments, ERB and the order in it are the application's.
        class WorkerFile
          # @param generator [InstallGenerator]
          def initialize(generator)
            @generator = generator
          end

          # @return [void]
          def install
            before = read
            return if before.nil? || before.include?(ALL.first) # written by us, or by somebody else

            after = add(before)
            (after == before) ? @generator.send(:left, what_is_left) : write(after)
          end

          # @return [void]
          def revoke
            before = read or return
            write(remove(before))
          end

          private

          def path
            ::File.join(@generator.destination_root, self.class::PATH)
          end

          # @return [String, nil] nil: it is not there
          def read
            ::File.read(path) if ::File.file?(path)
          end

          def write(content)
            return if content == read

            @generator.say_status((@generator.behavior == :revoke) ? :subtract : :insert, self.class::PATH)
            ::File.write(path, content) unless @generator.options[:pretend]
          end

          def what_is_left
            "#{self.class::PATH}: have a worker take the queues #{ALL.join(", ")}"
          end
        end

        # A worker of its own for each list of workers: one that takes all queues ("*", as Solid Queue's installer
        # writes it) has its hands full otherwise when many answers are being written.
        class SolidQueueFile < WorkerFile
          PATH = "config/queue.yml"
          # By which it is known.
          MARK = "# Streamed answers (raaf-streaming): each one that is being written takes a thread."
          # A list of workers, and how far its entries are indented.
          WORKERS = /^ *workers: *\n(?=(?: *(?:#.*)?\n)*( *)-)/
          OURS = /^( *)#{Regexp.escape(MARK)}\n\1- .*\n(?:\1  .*\n)*/
          LINES = [MARK, "- queues: [ #{ALL.join(", ")} ]", "  threads: 3", "  polling_interval: 0.1"].freeze

          private

          def add(content)
            content.gsub(WORKERS) { $& + LINES.map { |line| "#{$1}#{line}\n" }.join }
          end

          def remove(content)
            content.gsub(OURS, "")
          end
        end

        # Sidekiq takes the queue "default" only, where it is told nothing.
        class SidekiqFile < WorkerFile
          PATH = "config/sidekiq.yml"
          MARK = "# Streamed answers (raaf-streaming), the most urgent first."
          # The list of queues, and how far its entries are indented.
          QUEUES = /^:?queues: *\n(?=(?: *(?:#.*)?\n)*( *)-)/
          # Of entries with a weight: "- [default, 2]".
          WEIGHTED = /^ *- *(?:\[.*,|.*, *\d)/
          WEIGHTS = [4, 3, 1, 1].freeze
          OURS = /^( *)#{Regexp.escape(MARK)}\n(?:\1- \[?(?:#{ALL.join("|")})\b.*\n)*/
          # In a list without weights Sidekiq takes from the first queue that has a job.
          WHOLE = <<~YAML
            # Made by raaf:streaming:install. Each answer that is being written takes one of the threads (concurrency).
            :queues:
              - priority_streaming
              - streaming
              - default
              - batch_streaming
              - streaming_chunks
          YAML

          # @return [void]
          def install
            return super unless read.nil? && Gem.loaded_specs.key?("sidekiq")

            @generator.create_file PATH, WHOLE
          end

          # @return [void]
          def revoke
            return super unless read == WHOLE

            @generator.create_file PATH, WHOLE # which takes it away again
          end

          private

          def add(content)
            return "#{content.chomp}\n#{block(":queues:\n", "  ", [*ALL, "default"])}" unless content.match?(/queues:/)

            content.sub(QUEUES) { block($&, $1, entries(content)) }
          end

          def entries(content)
            return ALL unless content.match?(WEIGHTED)

            ALL.zip(WEIGHTS).map { |queue| "[#{queue.join(", ")}]" }
          end

          def block(head, indent, entries)
            head + [MARK, *entries.map { |entry| "- #{entry}" }].map { |line| "#{indent}#{line}\n" }.join
          end

          def remove(content)
            content.sub(/^:queues:\n#{OURS.source}  - default\n\z/o, "").sub(OURS, "")
          end
        end
      end
    end
  end
end
