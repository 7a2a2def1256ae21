#!/bin/sh
# Called by cargo in place of rustc. What is added for the guest does not change cargo's own names of what it keeps: no path of
# this machine gets into a program, tokio has its sockets, and those that it accepts are made non-blocking (sockets.rs).
set -e
rustc=$1
shift
case " $* " in
*" --target wasm32-wasip2 "*) ;;
*) exec "$rustc" "$@" ;;
esac
# WebAssembly has one thread: tokio's runtime of many is made the one of one, so that a plain #[tokio::main] starts.
builder=$CARGO_MANIFEST_DIR/src/runtime/builder.rs
many='Kind::MultiThread => self.build_threaded_runtime(),'
if [ "$CARGO_PKG_NAME" = tokio ] && grep -qF "$many" "$builder"; then
    copy=$CARGO_HOME/one-thread/tokio-$CARGO_PKG_VERSION
    rm -rf "$copy"
    mkdir -p "$copy"
    cp -R "$CARGO_MANIFEST_DIR/." "$copy"
    sed -i "s/$many/Kind::MultiThread => self.build_current_thread_runtime(),/" "$copy/src/runtime/builder.rs"
    for argument; do
        shift
        if [ "$argument" = "$CARGO_MANIFEST_DIR/src/lib.rs" ]; then
            argument=$copy/src/lib.rs
        fi
        set -- "$@" "$argument"
    done
fi
here=$(dirname "$0")
exec "$rustc" "$@" --cfg tokio_unstable --check-cfg 'cfg(tokio_unstable)' \
    -C "link-arg=$here/libsockets.rlib" -C link-arg=--wrap=fcntl \
    --remap-path-prefix "$CARGO_HOME=/cargo" --remap-path-prefix "$VIRGA_SYSROOT=/rust"
