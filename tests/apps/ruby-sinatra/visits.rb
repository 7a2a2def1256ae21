# frozen_string_literal: true

require 'json'
require 'sinatra/base'

# Counts a browser's visits in its session, which is a cookie.
class Visits < Sinatra::Base
  enable :sessions

  get '/' do
    session[:visits] = (session[:visits] || 0) + 1
    content_type :json
    JSON.generate(visits: session[:visits])
  end
end
