#!/bin/sh
# Looks for Rust with the target wasm32-wasip2, adds the target where rustup can, and compiles what programs are linked with.
set -e
sysroot=$(cd / && rustc --print sysroot)
libraries=$(cd / && rustc --print target-libdir --target wasm32-wasip2)
if ! ls "$libraries"/libstd-*.rlib >/dev/null 2>&1; then
    if ! command -v rustup >/dev/null; then
        echo "this Rust ($(rustc --version)) has no target wasm32-wasip2 and there is no rustup that could add it; install Rust by rustup, and: rustup target add wasm32-wasip2" >&2
        exit 1
    fi
    (cd / && rustup target add wasm32-wasip2)
fi
# The programs themselves: in a build there is neither rustup nor its settings.
if [ ! -x "$sysroot/bin/cargo" ] || [ ! -x "$sysroot/bin/rustc" ]; then
    echo "cargo and rustc are not in $sysroot/bin" >&2
    exit 1
fi
printf %s "$sysroot" > sysroot
"$sysroot/bin/rustc" --version | cut -d ' ' -f 2 | tr -d '\n' > version
"$sysroot/bin/rustc" -vV | sed -n 's/^host: //p' | tr -d '\n' > host
"$sysroot/bin/rustc" --edition 2024 --target wasm32-wasip2 --crate-type rlib --crate-name sockets -C opt-level=s -C panic=abort -o libsockets.rlib sockets.rs
chmod +x rustc.sh
