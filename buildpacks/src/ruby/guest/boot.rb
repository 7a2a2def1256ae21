# frozen_string_literal: true

# Run while the snapshot is made: loads the app, unless its start needs what only a running instance has.
begin
  $stdout.sync = true
  require '/.virga/bridge.rb'
  require '/.virga/start.rb'
  require '/.virga/command.rb'
  VirgaStart.boot
  $stdout.sync = false
rescue Exception => e # rubocop:disable Lint/RescueException -- whatever it is, the developer is told
  $stderr.puts e.full_message(highlight: false, order: :top)
  raise
end
