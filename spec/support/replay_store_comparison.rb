# frozen_string_literal: true

# What a replay store is to do, said as plainly as it can be: it keeps all that was accepted for ever, and works out
# each answer from that.
class ReplayStoreReference
  Stream = Struct.new(:attempt, :owner, :accepted, :finished, :cancelled, :keys)

  def initialize(max_frames:, max_bytes:, max_text_bytes:)
    @max_frames = max_frames
    @max_bytes = max_bytes
    @max_text_bytes = max_text_bytes
    @streams = {}
    @begun = []
  end

  def begin(id, owner, keys, least)
    stream = stream_of(id)
    keys.each { |key| @begun << [key, id] unless @begun.include?([key, id]) }
    return stream.attempt if stream.owner == owner && stream.attempt >= least

    start_over(stream, [stream.attempt + 1, least].max)
    stream.owner = owner
    stream.attempt
  end

  def append(id, frame)
    stream = stream_of(id)
    return if frame.attempt < stream.attempt

    start_over(stream, frame.attempt) if frame.attempt > stream.attempt
    stream.accepted << frame unless stream.finished || frame.seq <= last(stream, frame.place)
  end

  def finish(id, attempt)
    stream = stream_of(id)
    start_over(stream, attempt) if attempt > stream.attempt
    stream.finished = true if attempt == stream.attempt
  end

  def cancel(id)
    return false if @streams[id]&.finished

    stream_of(id).cancelled = true
  end

  def finished?(id)
    @streams[id]&.finished || false
  end

  def cancelled?(id)
    @streams[id]&.cancelled || false
  end

  def streams_of(key)
    @begun.select { |other, id| other == key && !@streams[id].finished }.map(&:last)
  end

  # @return [Array, nil] frames, attempt, after, last, finished, cancelled
  def read(id, place, after, attempt, limit)
    stream = @streams[id] or return
    after = 0 if attempt && attempt < stream.attempt
    frames = kept(at(stream, place)).select { |frame| frame.seq > after }.first(limit)
    [frames, stream.attempt, after, last(stream, place), stream.finished, stream.cancelled]
  end

  # @return [Array, nil] attempt, seq, text, finished
  def checkpoint(id, place)
    stream = @streams[id] or return
    frames = at(stream, place)
    text = text_of(frames)
    [stream.attempt, frames.last.seq, text, stream.finished] if frames.any? && text
  end

  private

  def stream_of(id)
    @streams[id] ||= Stream.new(0, nil, [], false, false)
  end

  def start_over(stream, attempt)
    stream.attempt = attempt
    stream.owner = nil
    stream.accepted = []
    stream.finished = false
  end

  def at(stream, place)
    stream.accepted.select { |frame| frame.place == place }
  end

  def last(stream, place)
    at(stream, place).last&.seq || 0
  end

  # The last ones for which there is room; what did not fit once is gone for good.
  def kept(frames)
    frames.each_with_object([]) do |frame, room|
      room << frame
      room.shift while room.size > @max_frames || room.sum { |one| one.data.bytesize } > @max_bytes
    end
  end

  def text_of(frames)
    before = 0
    frames.reduce(+"") do |text, frame|
      whole = text && frame.seq == before + 1
      before = frame.seq
      longer = (frame.reset? ? "" : text).to_s + frame.delta
      longer if (whole || frame.reset?) && longer.bytesize <= @max_text_bytes
    end
  end
end

# Random calls of every kind for a store and its reference side by side.
class ReplayStoreComparison
  def initialize(seed, make_store)
    @random = Random.new(seed)
    limits = {max_frames: pick(1, 3, 50), max_bytes: pick(10, 60, 2000), max_text_bytes: pick(4, 30, 2000)}
    @store = make_store.call(**limits)
    @reference = ReplayStoreReference.new(**limits)
    run = @random.rand(1 << 40)
    @ids = Array.new(3) { |number| "#{run}-#{number}" }
    @keys = ["x #{run}", "y #{run}"]
    @seqs = Hash.new(0)
  end

  # @return [Array, nil] the first difference; nil: there is none
  def run(steps)
    steps.times do |number|
      action, expected, found = step
      return [number, action, expected, found] unless expected == found
    end
    nil
  end

  private

  def pick(*choices)
    choices[@random.rand(choices.size)]
  end

  # @return [Array] what was done, what should have come of it, and what has
  def step
    id = pick(*@ids)
    case @random.rand(20)
    when 0 then start(id)
    when 1..11 then append(id)
    when 12 then finish(id)
    when 13 then [:cancel, @reference.cancel(id), flushed.cancel(id)]
    when 14 then flags(id)
    when 15, 16 then checkpoint(id, pick("a", "b"))
    else read(id, pick("a", "b"))
    end
  end

  def start(id)
    owner, keys, least = pick("o", "p", "q"), @keys.sample(@random.rand(3), random: @random), pick(1, 1, 1, 3)
    [:begin, @reference.begin(id, owner, keys, least), flushed.begin(id, owner: owner, keys: keys, at_least: least)]
  end

  def append(id)
    place, attempt = pick("a", "b"), pick(1, 2, 3)
    seq = next_seq([id, place])
    frame = RAAF::Streaming::ReplayStore::Frame.new(place: place, seq: seq, attempt: attempt,
      message: {t: "\u00fc" * @random.rand(8)}, delta: pick("", "w", "\u00e9t\u00e9 "), terminal: pick(true, false),
      reset: @random.rand(12).zero?)
    @reference.append(id, frame)
    @store.append(id, frame)
    [:append, nil, nil]
  end

  # Mostly the next one.
  def next_seq(at)
    @seqs[at] = [@seqs[at] + pick(1, 1, 1, 1, 1, 1, 2, 0, -2), 1].max
    @seqs[at] = 1 if @random.rand(15).zero?
    @seqs[at]
  end

  def finish(id)
    attempt = pick(1, 1, 2, 3)
    @reference.finish(id, attempt)
    @store.finish(id, attempt: attempt)
    [:finish, nil, nil]
  end

  def flags(id)
    key = pick(*@keys)
    [:flags, [@reference.finished?(id), @reference.cancelled?(id), @reference.streams_of(key)],
      [flushed.finished?(id), @store.cancelled?(id), @store.streams_of(key)]]
  end

  def checkpoint(id, place)
    found = flushed.checkpoint(id, place: place)
    [:checkpoint, @reference.checkpoint(id, place), found && [found.attempt, found.seq, found.text, found.finished]]
  end

  def read(id, place)
    after, attempt, limit = @random.rand(6), pick(nil, 1, 2, 3), pick(1, 2, 100)
    found = flushed.read(id, place: place, after: after, attempt: attempt, limit: limit)
    [:read, @reference.read(id, place, after, attempt, limit), found && [found.frames, found.attempt, found.after,
      found.last, found.finished?, found.cancelled?]]
  end

  def flushed
    @store.flush(LifecycleHelpers::PATIENCE) or raise "the store was not written to"
    @store
  end
end
