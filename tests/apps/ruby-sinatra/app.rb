# frozen_string_literal: true

require 'json'
require 'sinatra/base'

# A small app with what Sinatra apps have: routes, a template, a session, JSON.
class App < Sinatra::Base
  set :served, 0
  enable :sessions

  before { settings.served += 1 }

  get '/' do
    content_type 'text/plain'
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
    settings.served.to_s
  end

  get '/visits' do
    session[:visits] = (session[:visits] || 0) + 1
    content_type :json
    JSON.generate(visits: session[:visits])
  end

  get '/page/:name' do
    erb :page, locals: { name: params[:name] }
  end

  get '/fail' do
    raise 'this route always fails'
  end
end
