# frozen_string_literal: true

# The specs wait as long for a server to see something as for anything else: 5 s, the server's own default, are too few
# on a busy machine, under valgrind and the sanitizers.
module PatientServer
  def wait_for_request(number = 1, timeout: LifecycleHelpers::PATIENCE) = super
  def wait_for_close(request, timeout: LifecycleHelpers::PATIENCE) = super
  def wait_until(timeout: LifecycleHelpers::PATIENCE, &block) = super
end

RAAF::Testing::ModelServer.prepend(PatientServer)
