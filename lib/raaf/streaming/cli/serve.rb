# frozen_string_literal: true

require_relative "../../testing/model_server"

module RAAF
  module Streaming
    class CLI
      # `raaf-stream serve`: a model server in the foreground, until INT or TERM.
      class Serve
        # Requests the server remembers; a demo that runs all day must not grow.
        KEEP_REQUESTS = 200

        # @param input [IO] not read
        # @param output [IO] gets the address and a line a request
        # @param errors [IO]
        def initialize(input:, output:, errors:)
          @input = input
          @output = output
          @errors = errors
          @options = {port: 0, host: "127.0.0.1", quiet: false}
          @demo = {}
        end

        # @param arguments [Array<String>]
        # @return [Integer] exit status
        # @raise [OptionParser::ParseError] for wrong options
        # @raise [Failure] where the port cannot be had
        def run(arguments)
          rest = parser.parse(arguments)
          raise OptionParser::InvalidArgument, rest.join(" ") unless rest.empty?
          return help if @options[:help]

          @output.sync = true
          raise_descriptor_limit
          serve
        end

        private

        def parser
          OptionParser.new do |parser|
            parser.banner = "Usage: raaf-stream serve [options]"
            address_options(parser)
            answer_options(parser)
            parser.on("--quiet", "no line a request") { @options[:quiet] = true }
            parser.on("-h", "--help", "this text") { @options[:help] = parser.help }
          end
        end

        def address_options(parser)
          parser.on("--port N", Integer, "default: any free port") { |port| @options[:port] = between(port, 0, 65_535) }
          parser.on("--host ADDRESS", "a loopback address only (127.0.0.1)") { |host| @options[:host] = host }
        end

        def answer_options(parser)
          parser.on("--tokens N", Integer, "deltas in each answer") do |count|
            @demo[:tokens] = between(count, 1, 1_000_000)
          end
          parser.on("--delay MS", Float, "between two deltas; default: about 30 a second") do |delay|
            @demo[:delay] = between(delay, 0, 3_600_000) / 1000.0
          end
          parser.on("--first-delay MS", Float, "before the first delta (250)") do |delay|
            @demo[:first_delay] = between(delay, 0, 3_600_000) / 1000.0
          end
        end

        def between(value, least, most)
          return value if value.between?(least, most)

          raise OptionParser::InvalidArgument, "#{value} (#{least} to #{most})"
        end

        def help
          @output.puts(@options[:help])
          0
        end

        def serve
          signal = catch_signals
          start do |server|
            server.default_script(demo: true, **@demo)
            @output.puts("listening on #{server.base_url}")
            signal.pop
          end
          0
        end

        def start(&block)
          RAAF::Testing::ModelServer.start(port: @options[:port], host: @options[:host],
            log: (@output unless @options[:quiet]), keep_requests: KEEP_REQUESTS, &block)
        rescue ArgumentError => e
          raise Failure.new(e.message, status: 2)
        rescue Errno::EADDRINUSE, Errno::EACCES => e
          raise Failure, "cannot listen on port #{@options[:port]} (#{e.class.name.split("::").last}); " \
            "choose another with --port, or leave it out for a free one"
        end

        # A queue may be pushed to from a signal handler, where a mutex may not be taken.
        def catch_signals
          Queue.new.tap do |queue|
            %w[INT TERM].each { |name| Signal.trap(name) { queue << name } }
          end
        end

        # Each stream holds a descriptor, and the soft limit is often 1024.
        def raise_descriptor_limit
          soft, hard = Process.getrlimit(:NOFILE)
          Process.setrlimit(:NOFILE, hard, hard) if soft < hard
        rescue SystemCallError, NotImplementedError
          nil
        end
      end
    end
  end
end
