#!/bin/sh
# Called by cargo in place of rustc. What is added for the guest does not change cargo's own names of what it keeps: no path of
# this machine gets into a program, tokio has its sockets, and those that it accepts are made non-blocking (sockets.rs).
rustc=$1
shift
case " $* " in
*" --target wasm32-wasip2 "*)
    here=$(dirname "$0")
    exec "$rustc" "$@" --cfg tokio_unstable --check-cfg 'cfg(tokio_unstable)' \
        -C "link-arg=$here/libsockets.rlib" -C link-arg=--wrap=fcntl \
        --remap-path-prefix "$CARGO_HOME=/cargo" --remap-path-prefix "$VIRGA_SYSROOT=/rust"
    ;;
*) exec "$rustc" "$@" ;;
esac
