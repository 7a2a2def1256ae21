# frozen_string_literal: true

# Stands in for the servers that an app starts by itself: what it would serve is kept, and the platform serves it.
module VirgaHandler
  NAMES = { 'puma' => :Puma, 'webrick' => :WEBrick, 'thin' => :Thin, 'falcon' => :Falcon, 'unicorn' => :Unicorn }.freeze

  # Whatever options it is given, the route to the app is the platform's.
  module Server
    def run(app, *, **)
      VirgaStart.serve(app)
      nil
    end

    def valid_options = {}
    def shutdown; end
  end

  def self.define(name)
    rackup = defined?(Rackup::Handler)
    base = rackup ? Rackup::Handler : Rack::Handler
    constant = NAMES.fetch(name)
    handler = Module.new { extend Server }
    base.const_set(constant, handler)
    base.register(name, rackup ? handler : "#{base}::#{constant}")
  end
end
