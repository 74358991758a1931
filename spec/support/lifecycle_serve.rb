# frozen_string_literal: true

require_relative "lifecycle_scripts"

# A model server in a process of its own, as `raaf-stream serve` runs it: its threads and descriptors are not the
# process's under test. Goes with {LifecycleScripts}.
module LifecycleServe
  # @param options [Array<String>] of `raaf-stream serve`
  # @yieldparam base_url [String] until the block is left
  def serving(*options)
    command = File.join(LifecycleScripts::ROOT, "exe", "raaf-stream")
    server = start_process(RbConfig.ruby, command, "serve", "--quiet", *options)
    yield server.line.delete_prefix("listening on ")
  ensure
    server.signal("TERM").finish
  end
end
