# frozen_string_literal: true

# Runs the commands of workers and tasks: `ruby FILE …` and `rake TASK …`, with or without `bundle exec`.
module VirgaCommand
  # Blocks of at_exit, which the interpreter itself would run at an end that it does not see here.
  module Ending
    class << self
      attr_accessor :blocks
    end

    def at_exit(&block)
      Ending.blocks ? Ending.blocks.push(block) && block : super
    end
  end

  class << self
    # Whether the command succeeded.
    def run(words)
      words = words.drop(2) if words.first(2) == %w[bundle exec]
      program, *rest = words
      raise ArgumentError, 'the command is empty' unless program

      ending { start(program, rest) }
    end

    private

    def start(program, rest)
      case File.basename(program)
      when 'ruby' then ruby(rest)
      when 'rake' then rake(rest)
      else
        unless File.file?(program)
          raise ArgumentError, "there is no program '#{program}' here: a command is 'ruby FILE …', 'rake TASK …', or a Ruby file of the app"
        end
        script(program, rest)
      end
    end

    def ending
      Kernel.prepend(Ending)
      Object.prepend(Ending)
      Ending.blocks = []
      succeeded = outcome { yield }
      while (block = Ending.blocks.pop)
        succeeded = outcome(&block) && succeeded
      end
      succeeded
    end

    def outcome
      yield
      true
    rescue SystemExit => e
      e.success?
    end

    def ruby(words)
      code = nil
      while words.first&.start_with?('-')
        word = words.shift
        case word
        when '--' then break
        when '-e' then code = [code, words.shift.to_s].compact.join("\n")
        when '-I', '-r' then option(word, words.shift.to_s)
        when /\A-([Ir])(.+)/ then option("-#{$1}", $2)
        when '-v', '--version' then return puts(RUBY_DESCRIPTION)
        when /\A-[wW]/, '--yjit', '--jit' then next
        else raise ArgumentError, "ruby has no option '#{word}' here: it knows -e, -I, -r, -v and -w"
        end
      end
      return script(words.shift || raise(ArgumentError, 'ruby needs a file to run, or -e'), words) unless code

      ARGV.replace(words)
      eval(code, TOPLEVEL_BINDING, '-e') # rubocop:disable Security/Eval -- the command that the app's developer gave
    end

    def option(name, value)
      name == '-I' ? $LOAD_PATH.unshift(*value.split(':').map { |path| File.expand_path(path) }) : require(value)
    end

    def script(file, words)
      ARGV.replace(words)
      $PROGRAM_NAME = file
      load File.expand_path(file)
    end

    def rake(words)
      require 'rake'
      ARGV.replace(words)
      Rake.application.run(words)
    end
  end
end
