"""Joins the Perl interpreter of the package @6over3/zeroperl-ts with our own code: engine.wasm, which serves apps.

Run after `npm ci`. TOOLCHAIN_ZIG is the folder of the compiler. Both parts share the interpreter's memory, which is made larger
for that: our data and our stack lie in the pages after those it was linked with, of which its own allocator knows nothing.
"""

import os
import shutil
import subprocess
import sys

HERE = os.getcwd()
ZIG = os.path.join(os.environ["TOOLCHAIN_ZIG"], "packages/ziglang/zig")
CACHE = os.path.join(HERE, "zig-cache")
PERL = "node_modules/@6over3/zeroperl-ts/dist/esm/zeroperl.wasm"
BINARYEN = "node_modules/binaryen/bin"
PAGE = 64 << 10
PAGES, OURS = 512, 64
# What both parts are made of, and no more: everything that is newer changes the form of the result.
FEATURES = ["bulk-memory", "bulk-memory-opt", "mutable-globals", "sign-ext", "nontrapping-float-to-int", "multivalue", "reference-types"]
FEATURES += ["call-indirect-overlong"]


def run(words, **more):
    done = subprocess.run(words, env={**os.environ, **more}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=HERE)
    if done.returncode != 0:
        sys.exit(done.stdout[-4000:] + f"\n{os.path.basename(words[0])} failed")


def number(value, length):
    """As WebAssembly writes numbers, in so many bytes."""
    return bytes((value >> 7 * at & 127) | (128 if at + 1 < length else 0) for at in range(length))


def once(text, old, new):
    if text.count(old) != 1:
        sys.exit(f"{old!r} stands {text.count(old)} times in the interpreter")
    return text.replace(old, new)


def sections(module):
    """The parts of a module: kind, content."""
    at = 8
    while at < len(module):
        kind, at, size, shift = module[at], at + 1, 0, 0
        while True:
            byte, at = module[at], at + 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        yield kind, module[at:at + size]
        at += size


def make_room(module):
    """The interpreter with more memory, that calls us by our name."""
    made = bytearray(module[:8])
    for kind, content in sections(module):
        if kind == 2:
            content = once(content, b"\x03env\x12call_host_function", b"\x05virga\x12call_host_function")
        if kind == 5:
            content = once(content, b"\x01\x00" + number(PAGES, 2), b"\x01\x00" + number(PAGES + OURS, 2))
        made += bytes([kind]) + number(len(content), 5) + content
    return bytes(made)


if __name__ == "__main__":
    with open(PERL, "rb") as file:
        perl = make_room(file.read())
    with open("perl.wasm", "wb") as file:
        file.write(perl)
    shutil.copytree(os.path.join(os.environ["TOOLCHAIN_ZIG"], "cache"), CACHE)
    run(
        [ZIG, "cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-O2", "-Wall", "-Wextra", "-Ihttp", f"-ffile-prefix-map={HERE}=.",
         "virga_perl.c", "http/virga_http.c", "-Wl,--import-memory", f"-Wl,--global-base={PAGES * PAGE}", "-Wl,-z,stack-size=1048576",
         "-s", "-o", "virga.wasm"],
        ZIG_GLOBAL_CACHE_DIR=CACHE, ZIG_LOCAL_CACHE_DIR=CACHE, SOURCE_DATE_EPOCH="1",
    )
    features = [f"--enable-{name}" for name in FEATURES]
    parts = ["perl.wasm", "env", "virga.wasm", "virga", "stack.wat", "stack"]
    run(["node", "--stack-size=8000", f"{BINARYEN}/wasm-merge", *features, "--skip-export-conflicts", *parts, "-o", "joined.wasm"])
    # Both parts name some functions of WASI.
    words = ["node", "--stack-size=8000", f"{BINARYEN}/wasm-opt", *features, "--duplicate-import-elimination", "joined.wasm"]
    run([*words, "-o", "engine.wasm"])
    for made in ("perl.wasm", "virga.wasm", "joined.wasm"):
        os.remove(made)
    shutil.rmtree(CACHE)
    shutil.rmtree("node_modules")
