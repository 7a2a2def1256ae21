# frozen_string_literal: true

# Stands in for the socket library: its names are there, so that what refers to it loads; a connection is refused by name.
class SocketError < StandardError; end

class BasicSocket < IO
  def self.refuse
    raise SocketError, 'there are no sockets in this Ruby: it answers requests, and cannot open connections of its own'
  end

  def self.new(*) = refuse
  def self.open(*) = refuse
  def self.do_not_reverse_lookup = true
  def self.do_not_reverse_lookup=(value); end
end

class Socket < BasicSocket
  AF_UNSPEC = 0
  AF_INET = 2
  AF_INET6 = 10
  AF_UNIX = 1
  PF_INET = AF_INET
  PF_INET6 = AF_INET6
  SOCK_STREAM = 1
  SOCK_DGRAM = 2
  SOL_SOCKET = 1
  SO_KEEPALIVE = 9
  SO_REUSEADDR = 2
  SO_LINGER = 13
  IPPROTO_TCP = 6
  TCP_NODELAY = 1
  SOMAXCONN = 128
  NI_NUMERICHOST = 1
  NI_NUMERICSERV = 2

  module Constants
    Socket.constants(false).each { |name| const_set(name, Socket.const_get(name)) unless name == :Constants }
  end

  class ResolutionError < SocketError; end

  class << self
    def gethostname = ENV.fetch('HOSTNAME', 'localhost')
    def tcp(*) = refuse
    def getaddrinfo(*) = refuse
    def gethostbyname(*) = refuse
    def ip_address_list = []
  end
end

class IPSocket < BasicSocket
  def self.getaddress(*) = refuse
end

class TCPSocket < IPSocket; end
class TCPServer < TCPSocket; end
class UDPSocket < IPSocket; end
class UNIXSocket < BasicSocket; end
class UNIXServer < UNIXSocket; end

class Addrinfo
  def self.method_missing(*) = BasicSocket.refuse
  def self.respond_to_missing?(*) = true
end
