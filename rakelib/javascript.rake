# frozen_string_literal: true

desc "Run the tests of the browser's side, with Node.js' own test runner"
task "test:js" do
  found = begin
    IO.popen(%w[node --version], &:read)[/\Av(\d+)/, 1].to_i >= 18
  rescue Errno::ENOENT
    false
  end
  abort "Node.js 18 or newer is missing: bin/setup installs it (Debian: apt-get install nodejs)" unless found

  sh "node", "--test", *Dir.glob("test/javascript/*.test.js").sort, verbose: false
end
