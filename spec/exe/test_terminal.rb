# frozen_string_literal: true

require "io/console"
require "io/wait"

# A terminal as far as a program can tell: it has a size, and says where its cursor is when it is asked.
class TestTerminal
  CURSOR_QUERY = "\e[6n"
  CURSOR_REPLY = "\e[1;1R"

  # @param screen [IO] what the program writes
  # @param keyboard [IO] what it reads
  def initialize(screen, keyboard)
    @screen = screen
    @keyboard = keyboard
    @screen.winsize = [24, 80]
    @shown = String.new(encoding: Encoding::BINARY)
    @seen = 0
    @replies = 0
  end

  def type(text)
    @keyboard.write(text)
  end

  # @return [String] everything up to the pattern
  def see(pattern)
    read until (match = pattern.match(unseen))
    @seen += match.end(0)
    match.pre_match + match[0]
  rescue EOFError, Errno::EIO
    raise "#{pattern.inspect} was not shown, but #{unseen.inspect}"
  end

  # @return [String] everything until the program ends
  def see_all
    loop { read }
  rescue EOFError, Errno::EIO # Linux ends a terminal with EIO
    unseen
  end

  # Types a key until the program ends. Reline takes the keyboard over only while it waits for a key: one that
  # means something to the terminal itself (Ctrl-D) is lost when it comes a moment before.
  def insist(key)
    loop { @screen.wait_readable(0.2) ? read : type(key) }
  rescue EOFError, Errno::EIO
    nil
  end

  private

  def unseen
    @shown.byteslice(@seen, @shown.bytesize)
  end

  # A query may come in two reads, and two in one.
  def read
    @shown << @screen.readpartial(1000)
    while @replies < @shown.scan(CURSOR_QUERY).size
      type(CURSOR_REPLY)
      @replies += 1
    end
  end
end
