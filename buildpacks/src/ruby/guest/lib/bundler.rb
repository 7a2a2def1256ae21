# frozen_string_literal: true

# Stands in for Bundler: staging has resolved the gems and set the load path already.
module Bundler
  VERSION = '2.6.2'
  class BundlerError < StandardError; end
  class GemNotFound < BundlerError; end
  class GemfileNotFound < BundlerError; end

  # Reads a Gemfile for the names in it, as far as groups decide what is required.
  class Gemfile
    attr_reader :gems

    def initialize(path)
      @gems = []
      @groups = [:default]
      @path = path
      instance_eval(File.read(path), path)
    end

    def gem(name, *, **options)
      groups = [options[:group], options[:groups]].flatten.compact.map(&:to_sym)
      required = options.fetch(:require, true)
      @gems << { name: name, groups: groups.empty? ? @groups : groups, required: required }
    end

    def group(*names, **)
      before = @groups
      @groups = names.map(&:to_sym)
      yield
    ensure
      @groups = before
    end

    def path(*, **) = (yield if block_given?)
    def git(*, **) = (yield if block_given?)
    def source(*, **) = (yield if block_given?)
    def platforms(*) = (yield if block_given?)
    def install_if(*) = (yield if block_given?)
    def eval_gemfile(path) = instance_eval(File.read(File.expand_path(path, File.dirname(@path))), path)
    alias platform platforms
    def ruby(*, **); end
    def gemspec(*, **); end
    def git_source(*); end
  end

  class << self
    def setup(*) = self
    def root = Pathname.new('/')
    def default_gemfile = Pathname.new('/Gemfile')
    def default_lockfile = Pathname.new('/Gemfile.lock')
    def with_unbundled_env = yield
    alias with_original_env with_unbundled_env
    alias with_clean_env with_unbundled_env

    # Servers and what only speeds up a start are not there, and nobody misses them.
    def require(*groups)
      return self unless File.file?('/Gemfile')

      groups = groups.empty? ? [:default] : groups.compact.map(&:to_sym)
      Gemfile.new('/Gemfile').gems.each do |gem|
        next if (gem[:groups] & groups).empty? || gem[:required] == false || VirgaStart::PLAN['left_out'].include?(gem[:name])

        gem[:required] == true ? require_gem(gem[:name]) : Array(gem[:required]).each { |file| Kernel.require(file) }
      end
      self
    end

    private

    def require_gem(name)
      Kernel.require(name)
    rescue LoadError => e
      raise unless e.path == name && name.include?('-')

      begin
        Kernel.require(name.tr('-', '/'))
      rescue LoadError => e
        raise unless e.path == name.tr('-', '/')
      end
    end
  end
end
