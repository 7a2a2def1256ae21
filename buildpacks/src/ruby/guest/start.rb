# frozen_string_literal: true

require 'json'

# Finds the Rack app and starts it.
module VirgaStart
  PLAN = JSON.parse(File.read('/.virga/plan.json')).freeze
  # Settings that frameworks look for while they are loaded and that may as well be absent then.
  HARMLESS = %w[
    APP_ENV BUNDLE_GEMFILE COLUMNS DEBUG FORCE_COLOR HOME HTTP_PROXY HTTPS_PROXY http_proxy https_proxy LANG LANGUAGE LC_ALL LINES LOG_LEVEL
    NO_COLOR NO_PROXY no_proxy PATH PORT PWD RACK_ENV RACK_HANDLER RAILS_ENV RUBYLIB RUBYOPT SHELL SINATRA_ACTIVESUPPORT_WARNING TERM TEMP TMP
    TMPDIR TZ USER XDG_CONFIG_HOME
  ].to_h { |name| [name, true] }.freeze
  # Not the app's own reading: the standard library, and what this buildpack brings.
  LIBRARIES = ['/usr/local/', '/.virga/', '<internal:', 'eval', '-e'].freeze

  # Notes which variables the app reads while it is loaded: they have their values in the running instance only.
  module Watch
    class << self
      attr_accessor :reasons

      def note(keys, locations)
        return if VirgaStart.library?(locations)

        keys.each { |key| reasons << "ENV['#{key}']" unless HARMLESS[key] }
      end
    end

    %i[[] fetch key? has_key? include? member? values_at slice].each do |name|
      define_method(name) do |*keys, &block|
        Watch.note(keys.first(name == :fetch ? 1 : keys.size), caller_locations(1, 1)) if Watch.reasons
        super(*keys, &block)
      end
    end

    %i[to_h to_hash each each_pair keys values map select filter reject].each do |name|
      define_method(name) do |*rest, &block|
        Watch.reasons&.push('all of ENV') unless VirgaStart.library?(caller_locations(1, 1))
        super(*rest, &block)
      end
    end
  end

  # The same for secrets: at the build they would be those of every other app.
  module WatchRandom
    def urandom(...)
      VirgaStart.note_random(caller_locations) if Watch.reasons
      super
    end
  end

  class << self
    attr_reader :served

    def boot
      ENV.singleton_class.prepend(Watch)
      Random.singleton_class.prepend(WatchRandom)
      ENV['RACK_ENV'] = 'production'
      $LOAD_PATH.unshift('/.virga/lib', *PLAN['paths'])
      require 'virga_threads'
      require 'rack'
      VirgaBridge.rewinds = Rack.release.to_i < 3
      if PLAN['start'] == 'snapshot'
        in_snapshot
      else
        PLAN.fetch('loaded', []).each { |file| require file }
        note_secret
      end
      ENV.clear
      GC.start
    end

    # A server's handler was asked to serve it.
    def serve(app)
      @served ||= app
    end

    def library?(locations)
      path = locations&.first&.path.to_s
      path.empty? || path.start_with?(*LIBRARIES)
    end

    def app
      file = PLAN['file']
      raise 'there is nothing to serve: no config.ru, and no Ruby file that the Procfile or its name tells to be the app' unless file

      return rackup(file) if file.end_with?('.ru')

      run_script(file)
      @served || sinatra || constant || raise("#{file} defines no Rack app: name it in a config.ru, such as 'run App'")
    end

    # Sinatra makes its default secret while it is loaded; see renew_secrets.
    def note_random(locations)
      path = locations.map { |one| one.path.to_s }.find { |one| !one.start_with?('/usr/local/', '<internal:') }
      return if path.nil? || path.start_with?('/.virga/') || path.end_with?('/sinatra/base.rb')

      Watch.reasons << 'SecureRandom'
    end

    # Once, in the running instance: a secret that nobody chose was the same in every app.
    def renew_secrets
      return unless @default_secret && Sinatra::Base.session_secret == @default_secret

      Sinatra::Base.set(:session_secret, SecureRandom.hex(64))
      ObjectSpace.each_object(Sinatra::Base.singleton_class) { |app| app.instance_variable_set(:@prototype, nil) if app.sessions? }
    end

    private

    def note_secret
      @default_secret = Sinatra::Base.session_secret if defined?(Sinatra::Base) && Sinatra::Base.respond_to?(:session_secret)
    end

    def in_snapshot
      Watch.reasons = []
      at_start = nil
      begin
        VirgaBridge.app = built = app if PLAN['file']
        at_start = Watch.reasons.size
        warm_up(built) if built && PLAN['warms']
      rescue Exception => e # rubocop:disable Lint/RescueException
        # A variable or a server that is only there at run time. A file that is missing now is missing then.
        raise if Watch.reasons.empty? && (!e.is_a?(SystemCallError) || e.is_a?(Errno::ENOENT))

        Watch.reasons << e.class.name
      end
      note_secret
      reasons = Watch.reasons.uniq
      Watch.reasons = nil
      return if reasons.empty?

      # What only the request asked for is asked anew by the next one, if the app has seen none.
      return $stdout.puts("\u0001virga-needs-cold #{reasons.first}") if at_start&.zero?

      reasons.each { |reason| $stdout.puts "\u0001virga-needs-start #{reason}" }
      $LOADED_FEATURES.grep(%r{\A/(\.virga|usr/local|vendor)/.*\.rb\z}).each { |file| $stdout.puts "\u0001virga-loaded #{file}" }
    end

    def rackup(file)
      built = Rack::Builder.parse_file(file)
      built.is_a?(Array) ? built.first : built
    end

    # As `ruby FILE` would.
    def run_script(file)
      before = $PROGRAM_NAME
      $PROGRAM_NAME = file
      load file
    ensure
      $PROGRAM_NAME = before
    end

    def sinatra
      return unless defined?(Sinatra::Base)

      classic = defined?(Sinatra::Application) && Sinatra::Application
      return classic if classic && !classic.routes.empty?

      apps = Sinatra::Base.subclasses.reject { |one| one.name.nil? || one.name.start_with?('Sinatra::') }
      apps.first if apps.size == 1
    end

    def constant
      %i[APP App Application].each do |name|
        found = Object.const_get(name) if Object.const_defined?(name, false)
        return found if found.respond_to?(:call)
      end
      nil
    end

    # A request to a path that no app has, so that what frameworks load at their first request is there.
    def warm_up(app)
      require 'stringio'
      %w[GET POST].each do |method|
        body = method == 'POST' ? 'a=1' : ''
        _, _, pieces = app.call(
          'REQUEST_METHOD' => method, 'SCRIPT_NAME' => '', 'PATH_INFO' => '/.virga/warm-up', 'QUERY_STRING' => 'a=1',
          'SERVER_NAME' => 'localhost', 'SERVER_PORT' => '8080', 'SERVER_PROTOCOL' => 'HTTP/1.1', 'HTTP_HOST' => 'localhost',
          'HTTP_COOKIE' => 'a=1', 'HTTP_ACCEPT' => '*/*', 'REMOTE_ADDR' => '127.0.0.1', 'CONTENT_LENGTH' => body.bytesize.to_s,
          'CONTENT_TYPE' => 'application/x-www-form-urlencoded', 'rack.url_scheme' => 'http', 'rack.version' => [1, 3],
          'rack.input' => StringIO.new(body.b), 'rack.errors' => StringIO.new, 'rack.multithread' => false,
          'rack.multiprocess' => true, 'rack.run_once' => false, 'rack.hijack?' => false
        )
        pieces.each { |piece| piece } if pieces.respond_to?(:each)
        pieces.close if pieces.respond_to?(:close)
      end
    rescue Exception # rubocop:disable Lint/RescueException -- only what it loaded counts
      nil
    end
  end
end
