"""What the app's packages are compiled to, kept from one staging to the next. A running app has nothing of it.

A kept file counts if it was made of the same source. Which ones there are must not be seen in a snapshot: where something had to be
compiled, the buildpack keeps that and takes the snapshot once more.
"""

import _imp
import os
from importlib import _bootstrap_external as machinery

KEPT = "/.virga/bytecode"
MADE = "/.virga/compiled"

_get_code = machinery.SourceLoader.get_code
_made = {}


def use(packages):
    """Takes the code of what is imported from this folder out of what is kept."""
    beginning = f"{packages}/"

    def get_code(loader, fullname):
        path = loader.get_filename(fullname)
        # An import hook with a loader of its own may compile something else of the same source.
        if type(loader) is not machinery.SourceFileLoader or not path.startswith(beginning):
            return _get_code(loader, fullname)
        source = loader.get_data(path)
        digest = _imp.source_hash(_imp.pyc_magic_number_token, source)
        name = f"{path.removeprefix(beginning).replace('/', '.')}c"
        code = _kept(name, digest, fullname, path)
        if code is None:
            code = loader.source_to_code(source, path)
            _made[name] = machinery._code_to_hash_pyc(code, digest, True)
        return code

    machinery.SourceLoader.get_code = get_code


def end():
    """Imports are as ever from now on; what was compiled is handed over."""
    machinery.SourceLoader.get_code = _get_code
    for name, content in _made.items():
        try:
            with open(f"{MADE}/{name}", "wb") as file:
                file.write(content)
        except OSError:  # a name that is too long: compiled each time
            pass
    _made.clear()


def _kept(name, digest, fullname, path):
    try:
        with open(f"{KEPT}/{name}", "rb", buffering=0) as file:
            content = file.read()
        flags = machinery._classify_pyc(content, fullname, {})
        if flags != 0b11:
            return None
        machinery._validate_hash_pyc(content, digest, fullname, {})
        return machinery._compile_bytecode(memoryview(content)[16:], name=fullname, source_path=path)
    except (OSError, EOFError, ImportError, TypeError, ValueError):  # not there, of another source, or cut off
        return None
