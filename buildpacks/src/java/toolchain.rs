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

/// The interfaces that apps are written against and our class library answers, by the beginnings of their jars' names; of an app's own
/// copies none is used.
pub(super) const INTERFACES: [(&str, &str); 2] =
    [("jakarta.servlet-api-", "jars/jakarta.servlet-api-6.1.0.jar"), ("jakarta.ws.rs-api-", "jars/jakarta.ws.rs-api-4.0.0.jar")];

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
    engine: None,
};

/// Files by the folder where they go and the one where they lie here.
macro_rules! files {
    ($($to:literal $from:literal [$($path:literal),* $(,)?])*) => {
        &[$($((concat!($to, $path), include_str!(concat!($from, $path)))),*),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "" "toolchain/" [
        "pom.xml",
        "prepare.sh",
        "program.c",
        "compile-arguments",
    ]
    "sources/builder/" "builder/" [
        "Asked.java",
        "Beans.java",
        "Builder.java",
        "Classes.java",
        "Declared.java",
        "Dependencies.java",
        "Opened.java",
        "Patch.java",
        "Refused.java",
        "Resources.java",
        "Servlets.java",
        "Types.java",
    ]
    "sources/library/" "library/" [
        "com/sun/net/httpserver/Filter.java",
        "com/sun/net/httpserver/Headers.java",
        "com/sun/net/httpserver/HttpContext.java",
        "com/sun/net/httpserver/HttpExchange.java",
        "com/sun/net/httpserver/HttpHandler.java",
        "com/sun/net/httpserver/HttpPrincipal.java",
        "com/sun/net/httpserver/HttpServer.java",
        "jakarta/servlet/http/HttpServlet.java",
        "jakarta/ws/rs/core/GenericEntity.java",
        "jakarta/ws/rs/ext/RuntimeDelegate.java",
        "org/teavm/classlib/java/net/TInetSocketAddress.java",
        "org/teavm/classlib/java/net/TSocketAddress.java",
        "org/teavm/classlib/java/security/TSecureRandom.java",
        "org/teavm/classlib/java/util/concurrent/TCountDownLatch.java",
        "org/teavm/classlib/java/util/concurrent/TExecutorService.java",
        "org/teavm/classlib/java/util/concurrent/TExecutors.java",
        "org/teavm/classlib/java/util/concurrent/TFuture.java",
        "org/teavm/classlib/java/util/concurrent/TFutureTask.java",
        "org/teavm/classlib/java/util/concurrent/TRejectedExecutionException.java",
        "org/teavm/classlib/java/util/concurrent/TThreadFactory.java",
        "org/teavm/classlib/java/util/concurrent/TTimeoutException.java",
        "org/teavm/classlib/java/util/concurrent/locks/TLock.java",
        "org/teavm/classlib/java/util/concurrent/locks/TReentrantLock.java",
        "virga/Environment.java",
        "virga/Host.java",
        "virga/Native.java",
        "virga/Request.java",
        "virga/Start.java",
        "virga/Texts.java",
        "virga/rest/Address.java",
        "virga/rest/Bodies.java",
        "virga/rest/CacheControls.java",
        "virga/rest/Call.java",
        "virga/rest/Conditions.java",
        "virga/rest/Cookies.java",
        "virga/rest/Delegate.java",
        "virga/rest/Escapes.java",
        "virga/rest/Head.java",
        "virga/rest/HeaderMap.java",
        "virga/rest/Identity.java",
        "virga/rest/Json.java",
        "virga/rest/JsonOutput.java",
        "virga/rest/JsonText.java",
        "virga/rest/Maker.java",
        "virga/rest/MediaTypes.java",
        "virga/rest/Provider.java",
        "virga/rest/Reply.java",
        "virga/rest/ReplyBuilder.java",
        "virga/rest/RequestContext.java",
        "virga/rest/ResponseContext.java",
        "virga/rest/Rest.java",
        "virga/rest/Route.java",
        "virga/rest/Target.java",
        "virga/rest/Template.java",
        "virga/rest/Values.java",
        "virga/rest/Variants.java",
        "virga/servlet/Answer.java",
        "virga/servlet/Attributes.java",
        "virga/servlet/BareCall.java",
        "virga/servlet/BareContext.java",
        "virga/servlet/Call.java",
        "virga/servlet/Container.java",
        "virga/servlet/Context.java",
        "virga/servlet/Dates.java",
        "virga/servlet/Pages.java",
        "virga/servlet/Parameters.java",
        "virga/servlet/Pattern.java",
        "virga/servlet/Session.java",
        "virga/servlet/Sessions.java",
        "virga/servlet/Settings.java",
        "virga/servlet/Upload.java",
        "virga/servlet/Uploads.java",
    ]
    "native/" "native/" [
        "arrayclass.c",
        "compat.h",
        "fiber.c",
        "host.c",
        "log.c",
        "memory.c",
    ]
];
