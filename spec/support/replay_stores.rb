# frozen_string_literal: true

# What the specs of the replay stores share.
module ReplayStores
  # A frame whose message and text are made of its number.
  def frame(seq, place: "a", attempt: 1)
    frame_with(seq, place: place, attempt: attempt, message: {n: seq}, delta: "#{seq} ")
  end

  def frame_with(seq, place: "a", message: {n: seq}, **options)
    RAAF::Streaming::ReplayStore::Frame.new(place: place, seq: seq, message: message, **options)
  end

  # And waits until they are kept.
  def append_to(store, id, *seqs, **options)
    seqs.each { |seq| store.append(id, frame(seq, **options)) }
    expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
  end

  def finish(store, id, **options)
    store.finish(id, **options)
    expect(store.flush(LifecycleHelpers::PATIENCE)).to be(true)
  end

  def read_of(store, id, place: "a", **options)
    store.read(id, place: place, **options)
  end
end
