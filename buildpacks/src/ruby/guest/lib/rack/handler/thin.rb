# frozen_string_literal: true

require 'virga_handler'
VirgaHandler.define('thin')
