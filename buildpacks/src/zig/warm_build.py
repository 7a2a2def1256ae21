"""Builds a small app by `zig build` into the folder "cache", so that what builds other apps is compiled once. TOOLCHAIN_ZIG is the
folder of the compiler."""

import os
import shutil
import subprocess


def main() -> None:
    zig = os.path.join(os.environ["TOOLCHAIN_ZIG"], "packages/ziglang/zig")
    cache = os.path.abspath("cache")
    environment = dict(os.environ, ZIG_GLOBAL_CACHE_DIR=cache, ZIG_LOCAL_CACHE_DIR=cache)
    words = [zig, "build", "--release=small", "-Dtarget=wasm32-wasi", "--prefix", os.path.abspath("out")]
    subprocess.run(words, check=True, cwd="app", env=environment)
    shutil.rmtree("out")


if __name__ == "__main__":
    main()
