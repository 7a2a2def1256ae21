"""Builds Lua for WASI, with Zig, from the sources in the crate lua-src: engine.wasm, which serves apps, and check, which reads them.

Run after `cargo vendor`. TOOLCHAIN_ZIG is the folder of the compiler.
"""

import glob
import os
import shutil
import subprocess
import sys

HERE = os.getcwd()
ZIG = os.path.join(os.environ["TOOLCHAIN_ZIG"], "packages/ziglang/zig")
CACHE = os.path.join(HERE, "zig-cache")
# setjmp, by which Lua leaves a function that failed, is made of WebAssembly's exceptions.
TARGET = ["-target", "wasm32-wasi", "-mexception-handling", "-mllvm", "-wasm-enable-sjlj", "-mllvm", "-wasm-use-legacy-eh=false"]
TARGET += ["-D_WASI_EMULATED_SIGNAL", "-D_WASI_EMULATED_PROCESS_CLOCKS"]
PROGRAMS = ("lua.c", "luac.c", "onelua.c", "ltests.c")


def run(*words):
    done = subprocess.run(
        [ZIG, "cc", *words, "-w", f"-ffile-prefix-map={HERE}=."],
        env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": CACHE, "ZIG_LOCAL_CACHE_DIR": CACHE, "SOURCE_DATE_EPOCH": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HERE,
    )
    if done.returncode != 0:
        sys.exit(done.stdout[-4000:] + "\nzig cc failed")


if __name__ == "__main__":
    shutil.copytree(os.path.join(os.environ["TOOLCHAIN_ZIG"], "cache"), CACHE)
    (source,) = glob.glob("vendor/lua-src/lua-5.4.*")
    files = sorted(path for path in glob.glob(f"{source}/*.c") if os.path.basename(path) not in PROGRAMS)
    run(
        *TARGET, "-O2", f"-I{source}", "-Ihttp", "-include", "virga_seed.h", "tag.s", "virga_lua.c", "http/virga_http.c", *files,
        "-lwasi-emulated-signal", "-lwasi-emulated-process-clocks", "-Wl,-z,stack-size=1048576", "-s", "-o", "engine.wasm",
    )
    run("-O1", f"-I{source}", "-DLUA_USE_POSIX", "check.c", *files, "-lm", "-s", "-o", "check")
    shutil.rmtree("vendor")
    shutil.rmtree(CACHE)
