"""Workers and tasks: the words of a command line as Python's own command line takes them."""

import importlib.metadata
import os
import runpy
import sys
import traceback

from componentize_py_types import Err
from wit_world.imports import environment

PYTHONS = ("python", "python3", "python3.14")


def run():
    """Runs the command of this process; leaves by `Err` or an exit status where it fails."""
    status = 1
    try:
        status = _status(_run, environment.get_arguments())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    if status == 1:
        raise Err(None)
    if status:
        os._exit(status)


def _status(function, *arguments):
    """The exit status of a call, as a program of it would have."""
    try:
        function(*arguments)
    except SystemExit as left:
        if left.code is None or isinstance(left.code, int):
            return (left.code or 0) & 0xFF
        print(left.code, file=sys.stderr)
        return 1
    except BaseException:  # whatever else ends a program ends it with its traceback
        traceback.print_exc()
        return 1
    return 0


def _run(words):
    if not words:
        raise SystemExit("no command was given; write for example: python worker.py")
    program, rest = words[0], words[1:]
    if os.path.basename(program) in PYTHONS:
        _python(rest)
    elif program.endswith(".py"):
        _script(program, rest)
    else:
        _console_script(program, rest)


def _python(words):
    while words and words[0] in ("-u", "-B", "-E", "-I", "-O", "-OO", "-s", "-S"):
        words = words[1:]
    if not words:
        raise SystemExit("python needs a script, -m MODULE or -c CODE: there is no terminal here")
    first, rest = words[0], words[1:]
    if first in ("-m", "-c") and not rest:
        raise SystemExit(f"python {first} needs an argument")
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
    elif first.startswith("-"):
        raise SystemExit(f"python {first} is not known here; it takes a script, -m MODULE, -c CODE and -u")
    else:
        _script(first, rest)


def _script(path, rest):
    full = os.path.join("/", path)
    if not os.path.isfile(full):
        raise SystemExit(f"'{path}' is no file of the app")
    sys.argv = [path, *rest]
    runpy.run_path(full, run_name="__main__")


def _console_script(program, rest):
    """A command that a package brings (flask, alembic, django-admin)."""
    for point in importlib.metadata.entry_points(group="console_scripts"):
        if point.name == program:
            sys.argv = [program, *rest]
            raise SystemExit(point.load()())
    raise SystemExit(f"'{program}' cannot be run here: it is neither python, nor a .py file, nor a command of the app's packages")
