//! The `java` buildpack: classes become C (by TeaVM), C becomes WebAssembly (by Zig), and a class library of ours stands where the
//! JDK's HTTP server is. Kotlin and Scala come here with their classes.

mod maven;
mod sources;
mod toolchain;
mod translate;
mod unsupported;

pub(crate) use maven::libraries;
pub(crate) use sources::{copy_resources, find as sources};
pub(crate) use toolchain::{FETCH, SHORT_LIVED, TOOLCHAIN, all_jars};
pub(crate) use translate::{Classes, class_path, translate};

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    child::protocol::StageRequest,
    failure,
};
use std::{ffi::OsStr, path::Path};
use virga_contract::staging::StagingError;

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "java",
    version: "1.2.0",
    looks_for: "a pom.xml, *.java files (there, in src or in src/main/java), a *.jar file, or the META-INF/MANIFEST.MF of one or the WEB-INF of a *.war",
    detects,
    toolchains: &[&crate::zig::ZIG, &TOOLCHAIN],
    build,
};

fn detects(app: &Path) -> bool {
    let has = |name: &str| app.join(name).exists();
    has("pom.xml")
        || has("src/main/java")
        || has("META-INF/MANIFEST.MF")
        || has("WEB-INF")
        || has("build.gradle")
        || has("build.gradle.kts")
        || has_extension(app, &["java", "jar"])
        || has_extension(&app.join("src"), &["java"])
}

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let libraries = maven::libraries(request)?;
    let classes = match sources::find(app, &["java"])?.as_slice() {
        [] => sources::ready(request)?,
        found => {
            let classes = request.work.join("classes");
            compile(request, found, &class_path(&libraries.jars)?, &classes)?;
            sources::copy_resources(app, &classes)?;
            classes
        }
    };
    let classes = Classes { folder: classes, jars: libraries.jars, software: libraries.software };
    translate(request, classes, "Java", files)
}

/// Compiles the sources. Annotation processors of the app's libraries run: inside of the staging's sandbox, without the network.
pub(crate) fn compile(request: &StageRequest, found: &[String], class_path: &OsStr, classes: &Path) -> Result<(), StagingError> {
    let list = sources::list_file(&request.work, found)?;
    let arguments = [
        "-encoding".into(),
        "UTF-8".into(),
        "-nowarn".into(),
        "-g:source,lines".into(),
        "-cp".into(),
        class_path.to_owned(),
        "-d".into(),
        classes.as_os_str().to_owned(),
        list,
    ];
    match crate::tool::run("javac", arguments, &request.app, &[]) {
        Ok(true) => Ok(()),
        Ok(false) => Err(failure::compile("javac could not compile the app; its errors stand in the log above")),
        Err(error) => Err(failure::internal("start javac", &error)),
    }
}
