//! What apps of the JVM's languages are built with.

use crate::toolchain::Toolchain;
use std::{ffi::OsString, path::Path};

pub(super) const TEAVM: &str = "0.15.0";
/// The plugin by which Maven fetches libraries.
pub(crate) const FETCH: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/// Compilers run for seconds: what helps long-lived programs only costs them time.
pub(crate) const SHORT_LIVED: [&str; 3] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss8m"];
/// The same for the builder, whose classes are kept in a form that starts faster. Run in the toolchain's folder.
pub(super) const BUILDER_OPTIONS: [&str; 5] =
    ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:SharedArchiveFile=builder.jsa", "-Xss8m"];
pub(super) const BUILDER_CLASS_PATH: &str = "jars/*";
pub(super) const PROGRAM: &str = include_str!("toolchain/program.c");

/// The jars of a toolchain as a class path.
pub(crate) fn all_jars(toolchain: &Path) -> OsString {
    toolchain.join("jars/*").into_os_string()
}

const COMPILE_ARGUMENTS: &str = include_str!("toolchain/compile-arguments");

/// How Zig compiles what was translated, in its folder; leaves `core.wasm` there.
pub(super) fn compile_arguments() -> impl Iterator<Item = &'static str> {
    COMPILE_ARGUMENTS.lines()
}

pub(crate) const TOOLCHAIN: Toolchain = Toolchain {
    name: "jvm",
    version: TEAVM,
    files: FILES,
    commands: &[&["mvn", "-B", "-q", "-f", "pom.xml", FETCH, "-DoutputDirectory=jars"], &["sh", "prepare.sh"]],
    programs: &["java", "javac", "jar", "mvn"],
    how_to_install: "apt-get install default-jdk-headless maven",
};

macro_rules! files {
    ($($name:literal: $path:literal),* $(,)?) => {
        &[$(($name, include_str!($path))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "pom.xml": "toolchain/pom.xml",
    "prepare.sh": "toolchain/prepare.sh",
    "program.c": "toolchain/program.c",
    "compile-arguments": "toolchain/compile-arguments",
    "sources/builder/Builder.java": "builder/Builder.java",
    "sources/builder/Dependencies.java": "builder/Dependencies.java",
    "sources/builder/Patch.java": "builder/Patch.java",
    "sources/library/com/sun/net/httpserver/Filter.java": "library/com/sun/net/httpserver/Filter.java",
    "sources/library/com/sun/net/httpserver/Headers.java": "library/com/sun/net/httpserver/Headers.java",
    "sources/library/com/sun/net/httpserver/HttpContext.java": "library/com/sun/net/httpserver/HttpContext.java",
    "sources/library/com/sun/net/httpserver/HttpExchange.java": "library/com/sun/net/httpserver/HttpExchange.java",
    "sources/library/com/sun/net/httpserver/HttpHandler.java": "library/com/sun/net/httpserver/HttpHandler.java",
    "sources/library/com/sun/net/httpserver/HttpPrincipal.java": "library/com/sun/net/httpserver/HttpPrincipal.java",
    "sources/library/com/sun/net/httpserver/HttpServer.java": "library/com/sun/net/httpserver/HttpServer.java",
    "sources/library/org/teavm/classlib/java/net/TInetSocketAddress.java": "library/org/teavm/classlib/java/net/TInetSocketAddress.java",
    "sources/library/org/teavm/classlib/java/net/TSocketAddress.java": "library/org/teavm/classlib/java/net/TSocketAddress.java",
    "sources/library/org/teavm/classlib/java/security/TSecureRandom.java": "library/org/teavm/classlib/java/security/TSecureRandom.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/TCountDownLatch.java": "library/org/teavm/classlib/java/util/concurrent/TCountDownLatch.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/TExecutorService.java": "library/org/teavm/classlib/java/util/concurrent/TExecutorService.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/TExecutors.java": "library/org/teavm/classlib/java/util/concurrent/TExecutors.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/TFuture.java": "library/org/teavm/classlib/java/util/concurrent/TFuture.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/TFutureTask.java": "library/org/teavm/classlib/java/util/concurrent/TFutureTask.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/TRejectedExecutionException.java": "library/org/teavm/classlib/java/util/concurrent/TRejectedExecutionException.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/TThreadFactory.java": "library/org/teavm/classlib/java/util/concurrent/TThreadFactory.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/TTimeoutException.java": "library/org/teavm/classlib/java/util/concurrent/TTimeoutException.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/locks/TLock.java": "library/org/teavm/classlib/java/util/concurrent/locks/TLock.java",
    "sources/library/org/teavm/classlib/java/util/concurrent/locks/TReentrantLock.java": "library/org/teavm/classlib/java/util/concurrent/locks/TReentrantLock.java",
    "sources/library/virga/Environment.java": "library/virga/Environment.java",
    "sources/library/virga/Host.java": "library/virga/Host.java",
    "sources/library/virga/Native.java": "library/virga/Native.java",
    "sources/library/virga/Request.java": "library/virga/Request.java",
    "sources/library/virga/Start.java": "library/virga/Start.java",
    "native/compat.h": "native/compat.h",
    "native/fiber.c": "native/fiber.c",
    "native/host.c": "native/host.c",
    "native/log.c": "native/log.c",
    "native/memory.c": "native/memory.c",
];
