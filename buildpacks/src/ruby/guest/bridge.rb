# frozen_string_literal: true

# Carries requests from the component's world to a Rack app and answers back. Loaded while the snapshot is made; everything
# a request brings is bytes in strings here, never source text.
require 'js.so'

module VirgaBridge
  # The interpreter's door to its host. No app has a use for it.
  DOOR = JS
  Object.send(:remove_const, :JS)

  METHODS = %w[GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH].freeze
  # Headers of a connection, which the host alone may set.
  CONNECTION_HEADERS = %w[
    connection http2-settings keep-alive proxy-authenticate proxy-connection te trailer transfer-encoding upgrade
  ].to_h { |name| [name, true] }.freeze
  BODILESS = { 204 => true, 304 => true }.freeze
  PIECE = 65_536
  KEYS = { 'content-type' => 'CONTENT_TYPE', 'content-length' => 'CONTENT_LENGTH' }
  # Names of headers that are kept; a client can invent others without end.
  KEPT_KEYS = 1000

  # The body of a request as Rack wants it. Rack before 3 also wants to rewind: then all of it is kept.
  class Input
    def initialize(rewindable)
      @rewindable = rewindable
      @kept = String.new(encoding: Encoding::BINARY)
      @at = 0
      @ended = false
    end

    def read(length = nil, buffer = nil)
      raise ArgumentError, "negative length #{length} given" if length&.negative?

      length ? fill(length) : fill_all
      left = @kept.bytesize - @at
      if length && length.positive? && left.zero?
        buffer&.clear
        return nil
      end
      found = take(length ? [length, left].min : left)
      buffer ? buffer.replace(found) : found
    end

    def gets(separator = $/, limit = nil)
      separator, limit = $/, separator if separator.is_a?(Integer)
      return read if separator.nil? && limit.nil?

      until (found = separator && @kept.index(separator.b, @at))
        break unless (limit.nil? || @kept.bytesize - @at < limit) && more
      end
      stop = found ? found + separator.bytesize : @kept.bytesize
      stop = [stop, @at + limit].min if limit
      stop > @at ? take(stop - @at) : nil
    end

    def each
      while (line = gets)
        yield line
      end
    end

    def rewind
      raise Errno::ESPIPE, 'the body of a request is read once' unless @rewindable || @at.zero?

      @at = 0
    end

    def size
      fill_all
      @kept.bytesize
    end

    def close; end

    private

    def fill(length)
      nil while @kept.bytesize - @at < length && more
    end

    def fill_all
      nil while more
    end

    def more
      return false if @ended

      piece = VirgaBridge.order([66, PIECE].pack('Cx3V'))
      case piece.getbyte(0)
      when 0 then @kept << piece.byteslice(1..)
      when 1 then @ended = true
      else
        @ended = true
        raise EOFError, 'the body of the request broke off'
      end
      !@ended
    end

    def take(length)
      found = @kept.byteslice(@at, length)
      if @rewindable
        @at += length
      else
        @kept = @kept.byteslice((@at + length)..)
        @at = 0
      end
      found
    end
  end

  # Where a body that writes for itself (Rack 3) writes to.
  class Output
    def write(*pieces)
      pieces.sum do |piece|
        VirgaBridge.write(piece.to_s)
        piece.to_s.bytesize
      end
    end

    def <<(piece)
      write(piece)
      self
    end

    def flush = self
    def close(*) = @closed = true
    def close_write = close
    def close_read; end
    def closed? = @closed
    def read(*) = nil
  end

  # The client went away.
  class Gone < IOError; end

  class << self
    attr_writer :app, :rewinds

    def order(bytes) = bytes.to_js.to_s.force_encoding(Encoding::BINARY)

    # What the component calls for each request.
    def serve
      @begun = false
      begin_instance
      @app ||= VirgaStart.app
      answer(environment)
    rescue Gone
      nil
    rescue Exception => e # rubocop:disable Lint/RescueException -- whatever it is, the next request is served
      warn_of(e)
      plain(500, 'Internal Server Error') unless @begun
    ensure
      flush
    end

    # What the component calls for a worker or a task.
    def command
      begin_instance
      words = texts(order('A'))
      order('X') unless VirgaCommand.run(words)
    rescue Exception => e # rubocop:disable Lint/RescueException
      warn_of(e)
      order('X')
    ensure
      flush
    end

    def write(piece)
      return if piece.empty?

      raise Gone, 'the client is gone' unless order("W#{piece.b}".b).getbyte(0).zero?
    end

    # Once, in the running instance: what the snapshot holds of its making is put right.
    def begin_instance
      return if @running

      @running = true
      ENV.replace(texts(order('E')).each_slice(2).to_h)
      Random.srand
      VirgaStart.renew_secrets
      OpenSSL::Random.seed(Random.urandom(64)) if defined?(OpenSSL::Random)
    end

    def texts(data)
      found = []
      at = 0
      while at < data.bytesize
        length = data.unpack1('V', offset: at)
        found << data.byteslice(at + 4, length).force_encoding(Encoding::UTF_8)
        at += 4 + length
      end
      found
    end

    def warn_of(error)
      $stderr.puts(error.full_message(highlight: false))
    rescue Exception # rubocop:disable Lint/RescueException -- a message that cannot be made is no reason to fail
      $stderr.puts(error.class.name)
    end

    def flush
      $stdout.flush
      $stderr.flush
    end

    private

    def environment
      method, scheme, authority, target, *headers = texts(order('Q'))
      path, query = target.split('?', 2)
      env = {
        'REQUEST_METHOD' => method.getbyte(0) < 9 ? METHODS[method.getbyte(0)] : method,
        'SCRIPT_NAME' => '',
        'PATH_INFO' => unescape(path || '/'),
        'QUERY_STRING' => query || '',
        'REQUEST_URI' => target,
        'SERVER_PROTOCOL' => 'HTTP/1.1',
        'HTTP_VERSION' => 'HTTP/1.1',
        'rack.url_scheme' => scheme == "\x01" ? 'https' : 'http',
        'rack.input' => Input.new(@rewinds),
        'rack.errors' => $stderr,
        'rack.multithread' => false,
        'rack.multiprocess' => true,
        'rack.run_once' => false,
        'rack.hijack?' => false,
        'rack.response_finished' => []
      }
      env['rack.version'] = [1, 3] if @rewinds
      headers.each_slice(2) { |name, value| add_header(env, name, value) }
      env['HTTP_HOST'] ||= authority.empty? ? 'localhost' : authority
      env['SERVER_NAME'] = env['HTTP_HOST'].sub(/:\d*\z/, '')
      env['SERVER_PORT'] = ENV.fetch('PORT', '8080')
      env['REMOTE_ADDR'] = env.fetch('HTTP_X_FORWARDED_FOR', '127.0.0.1')[/\A[^,]*/].strip
      env['rack.url_scheme'] = 'https' if env['HTTP_X_FORWARDED_PROTO']&.start_with?('https')
      env
    end

    # A name with an underscore would pass for another's with a hyphen.
    def add_header(env, name, value)
      return if name.include?('_')

      key = KEYS[name] || key_of(name)
      env[key] = if !env.key?(key) then value
                 elsif key == 'HTTP_COOKIE' then "#{env[key]}; #{value}"
                 else "#{env[key]}, #{value}"
                 end
    end

    def key_of(name)
      key = "HTTP_#{name.upcase.tr('-', '_')}"
      KEYS[name.dup.freeze] = key if KEYS.size < KEPT_KEYS
      key
    end

    def unescape(path)
      return path unless path.include?('%')

      path.b.gsub(/%(\h\h)/) { $1.hex.chr }.force_encoding(Encoding::UTF_8)
    end

    def answer(env)
      status, headers, body = @app.call(env)
      begin
        status = status.to_i
        callable = headers && headers['rack.hijack']
        respond(status, headers)
        send_body(callable || body) unless env['REQUEST_METHOD'] == 'HEAD' || BODILESS[status]
        order('C')
        order('F')
      ensure
        body.close if body.respond_to?(:close)
      end
      env['rack.response_finished'].each { |callback| callback.call(env, status, headers, nil) }
    end

    def send_body(body)
      if body.respond_to?(:each)
        body.each { |piece| write(piece) }
      else
        body.call(Output.new)
      end
    end

    # Bytes as the order wants them: a table of where each text lies, then the texts.
    def respond(status, headers)
      pairs = []
      headers&.each do |name, value|
        name = name.to_s.downcase
        next if CONNECTION_HEADERS[name] || name.start_with?('rack.')

        values = value.is_a?(Array) ? value : value.to_s.split("\n")
        values.each { |one| pairs << name.b << one.to_s.b }
      end
      at = 12 + pairs.size * 8
      table = pairs.flat_map do |text|
        place = [at, text.bytesize]
        at += text.bytesize
        place
      end
      case order([82, status, pairs.size / 2, *table].pack('Cx3V*') << pairs.join).getbyte(0)
      when 0 then @begun = true
      when 1 then raise ArgumentError, "these headers cannot be sent: #{headers.inspect}"
      else raise ArgumentError, "a status of #{status} cannot be sent"
      end
    end

    def plain(status, text)
      respond(status, { 'content-type' => 'text/plain; charset=utf-8' })
      write("#{text}\n")
      order('F')
    rescue StandardError => e
      warn_of(e)
    end
  end
end
