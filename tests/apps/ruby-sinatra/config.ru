# frozen_string_literal: true

require_relative 'app'
require_relative 'visits'

map('/visits') { run Visits }
run App
