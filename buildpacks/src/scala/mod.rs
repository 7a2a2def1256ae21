//! The `scala` buildpack: Scala's own compiler makes classes, the rest is as for Java.

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    child::protocol::StageRequest,
    failure, java, tool,
    toolchain::Toolchain,
};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::droplet::Software;

const SCALA: &str = "3.3.6";
/// The libraries that every program of this Scala has, of the compiler's own toolchain.
const LIBRARIES: [&str; 2] = ["scala-library-2.13.16.jar", "scala3-library_3-3.3.6.jar"];

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "scala",
    version: "1.1.0",
    looks_for: "a build.sbt, or *.scala files (there, in src or in src/main/scala)",
    detects: |app| {
        app.join("build.sbt").is_file()
            || app.join("src/main/scala").is_dir()
            || has_extension(app, &["scala"])
            || has_extension(&app.join("src"), &["scala"])
    },
    toolchains: &[&crate::zig::ZIG, &java::TOOLCHAIN, &TOOLCHAIN],
    build,
};

const TOOLCHAIN: Toolchain = Toolchain {
    name: "scala",
    version: SCALA,
    files: &[("pom.xml", include_str!("toolchain/pom.xml"))],
    commands: &[&["mvn", "-B", "-q", "-f", "pom.xml", java::FETCH, "-DoutputDirectory=jars"]],
    programs: &["java", "mvn"],
    how_to_install: "apt-get install default-jdk-headless maven",
    engine: None,
};

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    let mut libraries = java::libraries(request)?;
    libraries.jars.retain(|jar| {
        let name = jar.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with("scala-library-") && !name.starts_with("scala3-library_3-")
    });
    libraries.jars.extend(LIBRARIES.iter().map(|name| toolchain.join("jars").join(name)));
    let classes = request.work.join("classes");
    let sources = java::sources(&request.app, &["scala"])?;
    if sources.is_empty() {
        return Err(failure::compile("the app has no *.scala file (there, in src or in src/main/scala)"));
    }
    compile(toolchain, &request.app, &sources, &libraries.jars, &classes)?;
    libraries.software.insert(0, Software { name: "scala".into(), version: SCALA.into() });
    let classes = java::Classes { folder: classes, jars: libraries.jars, software: libraries.software };
    java::translate(request, classes, "Scala", files)
}

fn compile(toolchain: &Path, app: &Path, sources: &[String], jars: &[PathBuf], classes: &Path) -> Result<(), StagingError> {
    fs::create_dir_all(classes).map_err(|error| failure::internal("make a folder", &error))?;
    let mut arguments: Vec<OsString> = java::SHORT_LIVED.iter().map(OsString::from).collect();
    arguments.extend(["-cp".into(), java::all_jars(toolchain), "dotty.tools.dotc.Main".into()]);
    arguments.extend(["-color:never", "-sourceroot", ".", "-classpath"].map(OsString::from));
    arguments.extend([java::class_path(jars)?, "-d".into(), classes.as_os_str().to_owned()]);
    arguments.extend(sources.iter().map(|source| OsString::from(format!("./{source}"))));
    match tool::run("java", arguments, app, &[]) {
        Ok(true) => java::copy_resources(app, classes),
        Ok(false) => {
            Err(failure::compile(format!("the compiler of Scala {SCALA} could not compile the app; its errors stand in the log above")))
        }
        Err(error) => Err(failure::internal("start java", &error)),
    }
}
