# frozen_string_literal: true

require 'sinatra/base'

# A small app with what Sinatra apps have: routes, a template, files of `public`.
class App < Sinatra::Base
  set :served, 0
  set :counted, 0

  get '/' do
    content_type 'text/plain'
    settings.served += 1
    puts "hello number #{settings.served} of this wasm instance"
    "Hello from Sinatra on Virga\n"
  end

  get '/env/:name' do
    content_type 'text/plain'
    ENV[params[:name]] || halt(404)
  end

  post '/echo' do
    content_type request.media_type || 'application/octet-stream'
    request.body.read
  end

  get '/stream' do
    content_type 'text/plain'
    stream { |out| 5.times { |number| out << "chunk #{number}\n" } }
  end

  get '/random' do
    content_type 'text/plain'
    format('%016x', rand(2**64))
  end

  get '/count' do
    content_type 'text/plain'
    (settings.counted += 1).to_s
  end

  get '/page/:name' do
    erb :page, locals: { name: params[:name] }
  end

  get '/fail' do
    raise 'this route always fails'
  end
end
