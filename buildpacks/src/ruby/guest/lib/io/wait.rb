# frozen_string_literal: true

# The interpreter waits for nothing but what its files and answers do by themselves.
class IO
  def wait_readable(*) = self
  def wait_writable(*) = self
  def ready? = true
  def nread = 0
end unless IO.method_defined?(:nread)
