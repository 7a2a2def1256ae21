//! What goes into the toolchain's folder, by its name there.

macro_rules! files {
    ($($folder:literal from $source:literal: $($name:literal)+;)+) => {
        &[$($((concat!($folder, $name), include_str!(concat!($source, $name)))),+),+]
    };
}

pub(super) const FILES: &[(&str, &str)] = files! {
    "" from "toolchain/": "package.json" "package-lock.json" "prepare.mjs" "engine.mjs" "exchange.js" "build.mjs" "commands.mjs"
        "source.mjs";
    "unused/" from "toolchain/unused/": "package.json";
    "runtime/" from "runtime/": "alive.js" "buffer.js" "command.js" "describe.js" "environment.js" "failures.js"
        "globals.js" "randomness.js" "registry.js" "server.js" "start.js" "timers.js" "wasi-http.js" "web-body.js"
        "web-headers.js" "web-request.js" "web-response.js";
    "runtime/node/" from "runtime/node/": "async_hooks.js" "crypto.js" "debug.cjs" "depd.cjs" "fs-promises.js" "fs.js"
        "hono-node-server.js" "hono-serve-static.js" "http.js" "process.js" "small.js" "stream-promises.js" "stream-web.js"
        "timers-promises.js" "url.js" "util.js";
    "wit/" from "../wit/": "worlds.wit";
    "wit/deps/" from "../wit/deps/": "cli.wit" "clocks.wit" "filesystem.wit" "http.wit" "io.wit" "random.wit" "sockets.wit";
};
