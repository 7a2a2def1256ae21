//! The `kotlin` buildpack: Kotlin's own compiler makes classes, the rest is as for Java.

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    child::protocol::StageRequest,
    failure, java, tool,
    toolchain::Toolchain,
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::droplet::Software;

const KOTLIN: &str = "2.2.20";

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "kotlin",
    version: "1.1.0",
    looks_for: "*.kt files (there or in src)",
    detects: |app| has_extension(app, &["kt"]) || java::sources(&app.join("src"), &["kt"]).is_ok_and(|found| !found.is_empty()),
    toolchains: &[&crate::zig::ZIG, &java::TOOLCHAIN, &TOOLCHAIN],
    build,
};

const TOOLCHAIN: Toolchain = Toolchain {
    name: "kotlin",
    version: KOTLIN,
    files: &[("pom.xml", include_str!("toolchain/pom.xml"))],
    commands: &[&["mvn", "-B", "-q", "-f", "pom.xml", java::FETCH, "-DoutputDirectory=jars"]],
    programs: &["java", "mvn"],
    how_to_install: "apt-get install default-jdk-headless maven",
    engine: None,
};

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    let mut libraries = java::libraries(request)?;
    // One standard library, of the compiler's own version.
    libraries.jars.retain(|jar| !jar.file_name().is_some_and(|name| name.to_string_lossy().starts_with("kotlin-stdlib")));
    libraries.jars.push(toolchain.join(format!("jars/kotlin-stdlib-{KOTLIN}.jar")));
    let classes = request.work.join("classes");
    if java::sources(&request.app, &["kt"])?.is_empty() {
        return Err(failure::compile("the app has no *.kt file (there or in src)"));
    }
    compile(toolchain, &request.app, &java::sources(&request.app, &["kt", "java"])?, &libraries.jars, &classes)?;
    let java_sources = java::sources(&request.app, &["java"])?;
    if !java_sources.is_empty() {
        let mut class_path = vec![classes.clone()];
        class_path.extend_from_slice(&libraries.jars);
        java::compile(request, &java_sources, &java::class_path(&class_path)?, &classes)?;
    }
    libraries.software.insert(0, Software { name: "kotlin".into(), version: KOTLIN.into() });
    let classes = java::Classes { folder: classes, jars: libraries.jars, software: libraries.software };
    java::translate(request, classes, "Kotlin", files)
}

/// Of sources in Java, which may use those in Kotlin and be used by them, the Kotlin compiler only reads what they declare.
fn compile(toolchain: &Path, app: &Path, sources: &[String], jars: &[PathBuf], classes: &Path) -> Result<(), StagingError> {
    let mut arguments: Vec<OsString> = java::SHORT_LIVED.iter().map(OsString::from).collect();
    arguments.extend(["-cp".into(), java::all_jars(toolchain), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler".into()]);
    arguments.extend(["-no-stdlib", "-no-reflect", "-nowarn", "-jvm-target", "17", "-cp"].map(OsString::from));
    arguments.extend([java::class_path(jars)?, "-d".into(), classes.as_os_str().to_owned()]);
    arguments.extend(sources.iter().map(|source| OsString::from(format!("./{source}"))));
    match tool::run("java", arguments, app, &[]) {
        Ok(true) => java::copy_resources(app, classes),
        Ok(false) => Err(failure::compile("the Kotlin compiler could not compile the app; its errors stand in the log above")),
        Err(error) => Err(failure::internal("start java", &error)),
    }
}
