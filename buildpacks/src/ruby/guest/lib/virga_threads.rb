# frozen_string_literal: true

# The interpreter has no threads. What libraries use them for without need is done without; who needs one is told so.
require 'timeout'

# A time limit that is not kept is better than a library that does not load: the platform has its own limit for each request.
module Timeout
  def self.timeout(seconds, _error = nil, _message = nil)
    yield(seconds)
  end

  def timeout(...) = Timeout.timeout(...)
end

class Thread
  class << self
    def new(*)
      raise NotImplementedError, 'there are no threads in a WebAssembly instance: do the work in the request, or in a task (cf run-task)'
    end
    alias start new
    alias fork new
  end
end
