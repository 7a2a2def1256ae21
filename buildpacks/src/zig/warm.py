"""Compiles Zig's C or C++ library for WASI into the folder "cache": once here instead of in each app's first staging."""

import os
import subprocess
import sys

SOURCES = {
    "c": ("warm.c", "#include <stdio.h>\nint main(void) { return puts(\"warm\") < 0; }\n"),
    "c++": ("warm.cpp", "#include <iostream>\nint main() { std::cout << \"warm\\n\"; }\n"),
}


def main() -> None:
    language = sys.argv[1]
    name, text = SOURCES[language]
    with open(name, "w", encoding="utf-8") as source:
        source.write(text)
    cache = os.path.abspath("cache")
    environment = dict(os.environ, ZIG_GLOBAL_CACHE_DIR=cache, ZIG_LOCAL_CACHE_DIR=os.path.abspath("local"))
    zig = os.path.abspath("packages/ziglang/zig")
    # One for programs that begin at main, one for those that the platform calls.
    for model in ("command", "reactor"):
        words = [zig, "cc" if language == "c" else language, "-target", "wasm32-wasi", f"-mexec-model={model}", "-O2", name, "-o", "warm.wasm"]
        subprocess.run(words, check=True, env=environment)
    os.remove(name)
    os.remove("warm.wasm")


if __name__ == "__main__":
    main()
