//! Where an app's sources, classes and resources lie.

use crate::{child::protocol::StageRequest, failure};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;

/// Where the build tools of the JVM keep what belongs beside the classes.
const RESOURCES: &str = "src/main/resources";
/// Folders that hold no sources of the app itself.
const NOT_SOURCES: [&str; 8] = ["target", "build", "out", "node_modules", ".git", ".gradle", "project", "test"];

/// The sources of these languages, relative to the app, in order. Tests are none, and a folder that is not there has none.
pub(crate) fn find(app: &Path, extensions: &[&str]) -> Result<Vec<String>, StagingError> {
    let mut found = Vec::new();
    if !app.try_exists().map_err(|error| failure::internal("look for sources", &error))? {
        return Ok(found);
    }
    let entries = walkdir::WalkDir::new(app).sort_by_file_name().into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !entry.file_type().is_dir() || !NOT_SOURCES.contains(&name.as_ref())
    });
    for entry in entries {
        let entry = entry.map_err(|error| failure::internal("look for sources", &error))?;
        let path = entry.path();
        let is_source = path.extension().and_then(|found| found.to_str()).is_some_and(|found| extensions.contains(&found));
        let is_module = path.file_name().is_some_and(|name| name == "module-info.java");
        if entry.file_type().is_file() && is_source && !is_module {
            let inside = path.strip_prefix(app).unwrap_or(path).to_str();
            found.extend(inside.map(str::to_owned));
        }
    }
    Ok(found)
}

/// A file with these paths, as an argument for a compiler.
pub(crate) fn list_file(work: &Path, sources: &[String]) -> Result<OsString, StagingError> {
    let list = work.join("sources.txt");
    let text = sources.iter().fold(String::new(), |text, path| text + "\"" + &path.replace('\\', "\\\\").replace('"', "\\\"") + "\"\n");
    fs::write(&list, text).map_err(|error| failure::internal("write the list of sources", &error))?;
    let mut argument = OsString::from("@");
    argument.push(list);
    Ok(argument)
}

/// Puts the app's resources beside its classes.
pub(crate) fn copy_resources(app: &Path, classes: &Path) -> Result<(), StagingError> {
    let resources = app.join(RESOURCES);
    if resources.is_dir() {
        crate::files::copy_tree(&resources, classes, &|_| false).map_err(|error| failure::internal("copy the resources", &error))?;
    }
    Ok(())
}

/// An app that comes compiled: a jar, or what is in a jar or a war (a client unpacks the jar that it pushes).
pub(super) fn ready(request: &StageRequest) -> Result<PathBuf, StagingError> {
    let app = &request.app;
    if app.join("BOOT-INF").is_dir() {
        return Err(failure::compile(super::unsupported::sentence("Spring Boot")));
    }
    let web = app.join("WEB-INF/classes");
    if web.is_dir() {
        return Ok(web);
    }
    if app.join("META-INF/MANIFEST.MF").is_file() {
        return Ok(app.clone());
    }
    let entries = fs::read_dir(app).map_err(|error| failure::internal("look for a jar", &error))?;
    let mut jars: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|found| found == "jar")).collect();
    jars.sort();
    match jars.as_slice() {
        [jar] => Ok(jar.clone()),
        [] => Err(failure::compile("the app has no *.java file and no jar; push a folder with sources, or a jar with a Main-Class")),
        _ => Err(failure::compile(
            "the app has several jars and no sources; push one jar that has everything in it and names its Main-Class",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found_in_order_and_tests_left_out() {
        let app = tempfile::tempdir().unwrap();
        for name in
            ["src/main/java/b/B.java", "src/main/java/a/A.java", "src/test/java/ATest.java", "target/Gen.java", "module-info.java", "C.kt"]
        {
            fs::create_dir_all(app.path().join(name).parent().unwrap()).unwrap();
            fs::write(app.path().join(name), "").unwrap();
        }
        assert_eq!(find(app.path(), &["java"]).unwrap(), ["src/main/java/a/A.java", "src/main/java/b/B.java"]);
        assert!(find(&app.path().join("nowhere"), &["java"]).unwrap().is_empty());
        assert_eq!(find(app.path(), &["kt", "java"]).unwrap().len(), 3);
        let argument = list_file(app.path(), &["a \"b\".java".into()]).unwrap();
        assert!(argument.to_str().unwrap().starts_with('@'));
        assert_eq!(fs::read_to_string(app.path().join("sources.txt")).unwrap(), "\"a \\\"b\\\".java\"\n");
    }
}
