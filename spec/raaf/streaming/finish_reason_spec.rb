# frozen_string_literal: true

RSpec.describe RAAF::Streaming::FinishReason do
  {
    "stop" => "stop", "STOP" => "stop", "end_turn" => "stop", "stop_sequence" => "stop", "completed" => "stop",
    "length" => "length", "max_tokens" => "length", "MAX_TOKENS" => "length", "max_output_tokens" => "length",
    "model_context_window_exceeded" => "length", "tool_calls" => "tool_calls", "function_call" => "tool_calls",
    "tool_use" => "tool_calls", "content_filter" => "content_filter", "SAFETY" => "content_filter",
    "refusal" => "content_filter", "MALFORMED_FUNCTION_CALL" => "error",
    "BLOCK_REASON_OTHER" => "content_filter", "IMAGE_RECITATION" => "content_filter", "novel_reason" => "novel_reason",
    nil => nil, "" => nil
  }.each do |word, expected|
    it "makes #{expected.inspect} of #{word.inspect}" do
      expect(described_class.normalize(word)).to eq(expected)
    end
  end

  it "makes \"tool_calls\" of an end that is no other where there are some" do
    words = ["completed", "stop", "length", "content_filter", nil]
    expect(words.map { |word| described_class.normalize(word, tool_calls: true) })
      .to eq(["tool_calls", "tool_calls", "length", "content_filter", nil])
  end
end
