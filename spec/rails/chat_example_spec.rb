# frozen_string_literal: true

# What `bin/demo --web` shows: examples/chat, as it stands in the repository, in Chromium.
RSpec.describe "The chat page" do
  before(:context) do
    @folder = Dir.mktmpdir("raaf-chat")
    @port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
    environment = {"PORT" => @port.to_s, "CHAT_FOLDER" => @folder, "OPENAI_API_KEY" => nil, "RAILS_ENV" => nil}
    @said, writer = IO.pipe
    @pid = Process.spawn(environment, RbConfig.ruby, "serve.rb", in: File::NULL, out: writer,
      err: File.join(@folder, "stderr"), chdir: File.join(AppBuilder::CHECKOUT, "examples/chat"))
    writer.close
    Timeout.timeout(AppServer::LIMIT) { @url = @said.gets.to_s[/http:\S+/] until @url || @said.eof? }
    raise "it did not start: #{File.read(File.join(@folder, "stderr"))}" unless @url
  end

  after(:context) do
    Process.kill(:TERM, @pid) && Process.wait(@pid) if @pid
    FileUtils.rm_rf(@folder)
  end

  let!(:page) { open_page }

  after do |example|
    logs = %w[stderr development.log].map { |name| File.join(@folder, name) }
    logs.each { |file| puts File.readlines(file).last(60) } if example.exception
    @pages.each { |each| Browser.close(each) }
  end

  def open_page
    page = Browser.open(@url)
    (@pages ||= []) << page
    page.visit("/")
    page.assert_selector("#connection", text: "connected")
    page
  end

  def ask(question)
    page.fill_in("message", with: question)
    page.click_button("Send")
  end

  # Who said what, from above; where text is given, only as much of each as that.
  def said(on = page)
    on.all("#conversation li", wait: 0).map { |item| [item[:class], item.find("p").text(:all)] }
  end

  it "answers, and uses a tool" do
    ask("What time is it in Tokyo?")
    page.assert_selector("li.assistant[data-state=complete]", text: /It is \d\d:\d\d on .+\./)

    expect(page).to have_selector("li.assistant .tools", text: "local_time")
    expect(said.first).to eq(["user", "What time is it in Tokyo?"])
  end

  it "shows an answer that is being written after a reload, and then the whole" do
    ask("Slowly tell me a story about rain")
    page.assert_selector("li.assistant[data-state=running] p", text: /\w{3}/)
    page.refresh
    page.assert_selector("li.assistant[data-state=running] p", text: /\w{3}/)
    page.assert_selector("li.assistant[data-state=complete]", text: /\w{3}/, wait: 60)
    whole = said

    expect(whole.map(&:first)).to eq(%w[user assistant])
    page.refresh
    expect(page).to have_selector("#conversation li.assistant", text: whole.last.last.split("\n").first)
    expect(said).to eq(whole)
  end

  it "stops when it is told to, and keeps what there is" do
    ask("Slowly tell me a story about the sea")
    page.assert_selector("li.assistant[data-state=running] p", text: /\w{3}/)
    page.click_button("Stop")
    page.assert_selector("li.assistant .state", text: "stopped")

    expect(said.last.last).not_to be_empty
    expect(page).to have_button("Stop", disabled: true)
  end

  it "says that an answer has failed, and asks again" do
    ask("Please fail")
    page.assert_selector("li.assistant[data-state=failed] .state", text: "The model is overloaded")
    expect(said).to eq([["user", "Please fail"], ["assistant", "As far as this, and then"]])

    page.execute_script("document.querySelector('li.assistant').dataset.old = 'yes'")
    page.click_button("Retry")
    expect(page).to have_selector("li.assistant[data-state=failed]:not([data-old]) .state", text: "overloaded")
    expect(said.map(&:first)).to eq(%w[user assistant])
  end

  it "begins a new conversation" do
    ask("What time is it in Rome?")
    page.assert_selector("li.assistant[data-state=complete]")
    page.click_button("New conversation")

    expect(page).to have_no_selector("#conversation li")
    page.refresh
    expect(page).to have_no_selector("#conversation li")
  end
end
