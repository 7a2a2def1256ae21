"""What componentize-py starts while the toolchain is installed: the exports, with the standard library's usual modules loaded.

Also writes the standard library, compiled, as one archive, which apps have on disk for what they import later.
"""

import os
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc
from _imp import source_hash

from virga_python import adapt, handlers, loop, watch
from virga_python.entry import IncomingHandler, Run, WitWorld

__all__ = ["IncomingHandler", "Run", "WitWorld", "handlers"]

LIBRARY = "/python"
ARCHIVE = "/1/python314.zip"
LEFT_OUT = {
    "__pycache__", "config-3.14-wasm32-wasi", "curses", "ensurepip", "idlelib", "lib-dynload", "pydoc_data", "site-packages", "ssl.py", "test",
    "tests", "tkinter", "turtledemo", "turtle.py", "venv",
}


def write_library():
    with zipfile.ZipFile(ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, folders, files in os.walk(LIBRARY):
            folders[:] = sorted(set(folders) - LEFT_OUT)
            for name in sorted(set(files) - LEFT_OUT):
                path = os.path.join(folder, name)
                inside = os.path.relpath(path, LIBRARY)
                with open(path, "rb") as file:
                    content = file.read()
                if name.endswith(".py"):
                    code = compile(content, f"{LIBRARY}/{inside}", "exec", dont_inherit=True)
                    inside, content = f"{inside}c", bytes(_code_to_hash_pyc(code, source_hash(0x0A0D0DE3, content), False))
                # Without a time of its own an entry has that of 1980.
                archive.writestr(zipfile.ZipInfo(inside), content, zipfile.ZIP_DEFLATED)


write_library()
adapt.install()
loop.install()
watch.import_late()
