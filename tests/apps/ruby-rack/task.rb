# frozen_string_literal: true

puts "task done #{ARGV.join(' ')}"
