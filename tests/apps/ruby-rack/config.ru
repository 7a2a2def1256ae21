# frozen_string_literal: true

require 'json'

counted = 0
text = ->(status, body) { [status, { 'content-type' => 'text/plain' }, [body]] }

# Writes its body piece by piece.
class Pieces
  def each
    5.times { |number| yield "chunk #{number}\n" }
  end
end

use Rack::Deflater
run(lambda do |env|
  request = Rack::Request.new(env)
  case [request.request_method, request.path_info]
  in ['GET', '/']
    puts "request from #{request.user_agent}"
    text[200, "Hello from Rack on Virga\n"]
  in ['GET', %r{\A/env/(\w+)\z}]
    value = ENV[$1]
    value ? text[200, value] : text[404, 'not set']
  in ['POST', '/echo']
    [200, { 'content-type' => request.media_type || 'application/octet-stream' }, [request.body.read]]
  in ['GET', '/stream']
    [200, { 'content-type' => 'text/plain' }, Pieces.new]
  in ['GET', '/random']
    text[200, format('%016x', rand(2**64))]
  in ['GET', '/count']
    text[200, (counted += 1).to_s]
  in ['GET', '/json']
    [200, { 'content-type' => 'application/json' }, [JSON.generate(ruby: RUBY_VERSION, rack: Rack.release)]]
  else
    text[404, 'not found']
  end
end)
