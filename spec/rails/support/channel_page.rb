# frozen_string_literal: true

# A page of the guide's application that subscribes to a channel of the gem's, and what comes to it there.
module ChannelPage
  # What comes, as it comes to the application's code.
  SUBSCRIBE = <<~JS
    const [params, done] = arguments
    import("/assets/consumer").then(({ default: consumer }) => {
      window.came = []
      consumer.subscriptions.create({ channel: "RAAF::Streaming::SessionChannel", ...params }, {
        connected: () => done("connected"),
        rejected: () => { window.rejected = true; done("rejected") },
        received: (frame) => window.came.push(frame)
      })
    })
  JS
  GET = "fetch(arguments[0]).then(r => r.text().then(text => arguments[1]([r.status, text])))"

  # @param page [Capybara::Session]
  # @return [String] "connected" or "rejected"
  def subscribe(page, **params)
    page.evaluate_async_script(SUBSCRIBE, params)
  end

  # @return [String] what the server answers to the page's user
  # @raise [RuntimeError] where that is no success
  def get(page, path)
    status, text = page.evaluate_async_script(GET, path)
    raise "#{path}: #{status} #{text[0, 500]}" unless [200, 202].include?(status)

    text
  end

  # @return [Array<Hash{String=>Object}>] so far
  def came(page)
    page.evaluate_script("window.came")
  end

  # @return [String] the text of all answers
  def answers(page)
    came(page).select { |frame| frame["chunk_type"] == "content" }.map { |frame| frame["content"] }.join
  end
end
