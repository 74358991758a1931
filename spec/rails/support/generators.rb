# frozen_string_literal: true

# Runs generators of this gem in an application.
module Generators
  # All of them in one process, each as the command line would: an application takes seconds to start.
  #
  # @param app [RailsApp]
  # @param commands [Array<String>] such as "agent support"
  # @param revoke [Boolean] true: as `rails destroy` does
  # @return [String] what they said
  def generate(app, *commands, revoke: false)
    app.write("tmp/generate.rb", <<~RUBY)
      Rails.application.load_generators
      #{commands.inspect}.each do |command|
        name, *arguments = Shellwords.split(command)
        Rails::Generators.invoke("raaf:streaming:\#{name}", arguments, destination_root: Rails.root,
          behavior: :#{revoke ? "revoke" : "invoke"})
      end
    RUBY
    app.rails("runner", "tmp/generate.rb")
  end
end
