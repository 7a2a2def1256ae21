//! From classes to a component: TeaVM writes C, Zig compiles it together with the edge of ours.

use super::{TOOLCHAIN, toolchain, unsupported};
use crate::{
    build::Built,
    child::protocol::StageRequest,
    failure, procfile, tool,
    wasm::{self, World},
    zig,
};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

/// What a program is linked against and what it offers: it answers requests and runs commands.
const WORLD: World = World { wit: include_str!("worlds.wit"), name: "jvm" };
/// Programs of the JVM's languages have no sockets.
const DENIED: &[&str] = &["wasi:sockets/"];

/// Files of an app that only building needs.
const BUILD_ONLY: [&str; 15] = [
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "settings.gradle",
    "settings.gradle.kts",
    "build.sbt",
    "project",
    "src",
    "target",
    "WEB-INF",
    "build",
    "Procfile",
    "manifest.yml",
    ".cfignore",
    ".git",
];
const SOURCES_AND_CLASSES: [&str; 6] = ["java", "kt", "kts", "scala", "class", "jar"];

/// What there is of an app once its sources are compiled.
pub(crate) struct Classes {
    /// A folder of classes, or one jar.
    pub(crate) folder: PathBuf,
    /// The libraries.
    pub(crate) jars: Vec<PathBuf>,
    pub(crate) software: Vec<Software>,
}

/// Paths for a `-cp`. Never empty, or Java would look into the current folder.
pub(crate) fn class_path(paths: &[PathBuf]) -> Result<OsString, StagingError> {
    if paths.is_empty() {
        return Ok("/nonexistent".into());
    }
    std::env::join_paths(paths).map_err(|error| failure::internal("name the libraries", &error))
}

/// Makes the component.
pub(crate) fn translate(request: &StageRequest, classes: Classes, language: &str, files: &Path) -> Result<Built, StagingError> {
    if let Some(library) = unsupported::find(&classes.jars) {
        return Err(failure::compile(unsupported::sentence(library)));
    }
    let types = procfile::read(&request.app);
    let is_web = types.is_empty() || types.contains_key("web");
    let main = to_c(request, &classes, &main_classes(&types, is_web))?;
    let core = to_wasm(request)?;
    let component = wasm::world_component(core, &WORLD, DENIED).map_err(|error| failure::internal("make the component", &error))?;
    let shape = wasm::inspect(&component).map_err(|error| failure::internal("make the component", &error))?;
    copy_files(&request.app, files).map_err(|error| failure::internal("copy the app's files", &error))?;
    let (guest, reuse) = if is_web { (GuestKind::HttpP2, ReusePolicy::Pool) } else { (GuestKind::Command, ReusePolicy::Request) };
    let mut built = Built::new(guest, reuse, format!("{language} program, {main}"));
    built.component = Some(component);
    built.imports = shape.imports;
    built.software = vec![
        Software { name: "teavm".into(), version: toolchain::TEAVM.into() },
        Software { name: "ziglang".into(), version: zig::ZIG.version.into() },
    ];
    built.software.extend(classes.software);
    if is_web {
        built.process_types.insert("web".into(), format!("java {main}"));
    }
    Ok(built)
}

/// Stands for the class that serves, where nothing names it.
const TO_BE_FOUND: &str = "-";
/// Where the declarations of a web app may lie.
const WEB_XML: [&str; 2] = ["src/main/webapp/WEB-INF/web.xml", "WEB-INF/web.xml"];

/// Where a web app's own files lie in its source, and where in the program.
const WEB_FILES: &str = "src/main/webapp";
const WEB_FOLDER: &str = "/webapp";
/// What of them nobody is answered with.
const NOT_ANSWERED: [&str; 2] = ["WEB-INF", "META-INF"];

/// The folder of the program whose files a web app answers with; `-` for none. A packed one has them at its top.
fn web_files(app: &Path) -> Result<&'static str, StagingError> {
    let (from, to) = match (app.join(WEB_FILES), app.join("WEB-INF").is_dir()) {
        (folder, _) if folder.is_dir() => (folder, WEB_FOLDER),
        (_, true) => (app.to_owned(), "/"),
        _ => return Ok("-"),
    };
    let mut pages = walkdir::WalkDir::new(&from).sort_by_file_name().into_iter().flatten();
    match pages.find(|entry| entry.path().extension().is_some_and(|found| found == "jsp" || found == "jspx")) {
        None => Ok(to),
        Some(page) => Err(failure::compile(format!(
            "the app has the JSP {}, and there is no JSP on this platform: write the page in a servlet, or as a file with a script",
            page.path().strip_prefix(&from).unwrap_or(page.path()).display()
        ))),
    }
}

/// The classes that the process types name, that of `web` first.
fn main_classes(types: &BTreeMap<String, String>, is_web: bool) -> Vec<String> {
    let web = types.get("web").and_then(|command| main_class(command)).unwrap_or_else(|| TO_BE_FOUND.to_owned());
    let mut found: Vec<String> = is_web.then_some(web).into_iter().collect();
    let others = types.iter().filter(|(kind, _)| *kind != "web").filter_map(|(_, command)| main_class(command));
    for class in others {
        if !found.contains(&class) {
            found.push(class);
        }
    }
    if found.is_empty() {
        found.push(TO_BE_FOUND.to_owned());
    }
    found
}

/// The class in `java -Xmx64m -cp x Main words`; none in `java -jar app.jar`, or in a command of another program.
fn main_class(command: &str) -> Option<String> {
    let mut words = command.split_whitespace();
    words.next().filter(|program| program.rsplit('/').next() == Some("java"))?;
    while let Some(word) = words.next() {
        match word {
            "-jar" => return None,
            "-cp" | "-classpath" | "--class-path" => drop(words.next()),
            option if option.starts_with('-') => {}
            class => {
                let is_name = class.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '$'));
                return is_name.then(|| class.to_owned());
            }
        }
    }
    None
}

/// Gives the name of the main class.
fn to_c(request: &StageRequest, classes: &Classes, mains: &[String]) -> Result<String, StagingError> {
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    let web_xml = WEB_XML.iter().map(|name| request.app.join(name)).find(|path| path.is_file());
    let mut arguments: Vec<OsString> = toolchain::BUILDER_OPTIONS.iter().map(OsString::from).collect();
    arguments.extend(["-cp".into(), toolchain::BUILDER_CLASS_PATH.into(), "Builder".into(), toolchain.as_os_str().into()]);
    arguments.extend([request.work.as_os_str().into(), mains.join(",").into()]);
    arguments.push(web_xml.map_or_else(|| "-".into(), PathBuf::into_os_string));
    arguments.push(web_files(&request.app)?.into());
    arguments.push(classes.folder.as_os_str().into());
    arguments.extend(classes.jars.iter().map(|jar| jar.as_os_str().to_owned()));
    let done = tool::run("java", arguments, toolchain, &[]).map_err(|error| failure::internal("start java", &error))?;
    // The builder writes it before it translates.
    let main = match fs::read_to_string(request.work.join("main")) {
        Err(error) if !done && error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.map_err(|error| failure::internal("read which class the app starts with", &error))?),
    };
    match main {
        Some(main) if done => Ok(main),
        None => Err(failure::compile("the app's main class could not be found; the reason stands in the log above".to_owned())),
        Some(main) => Err(failure::compile(format!(
            "the app could not be translated, beginning from {main}; what it uses and what is not there stands in the log above. There is no reflection on what the translator cannot see, no class loading at run time, and no sockets"
        ))),
    }
}

fn to_wasm(request: &StageRequest) -> Result<Vec<u8>, StagingError> {
    let compiler = request.toolchain(&zig::ZIG)?;
    let cache = zig::cache(compiler, &request.cache).map_err(|error| failure::internal("prepare the build cache", &error))?;
    let folder = request.work.join("c");
    fs::write(folder.join("program.c"), toolchain::PROGRAM).map_err(|error| failure::internal("write the program", &error))?;
    let environment: [(&str, &OsStr); 2] = [("ZIG_GLOBAL_CACHE_DIR", cache.as_os_str()), ("ZIG_LOCAL_CACHE_DIR", request.work.as_os_str())];
    let done = tool::run(&compiler.join(zig::PROGRAM).to_string_lossy(), toolchain::compile_arguments(), &folder, &environment);
    match (done, fs::read(folder.join("core.wasm"))) {
        (Ok(true), Ok(core)) => Ok(core),
        (Err(error), _) => Err(failure::internal("start zig", &error)),
        (Ok(_), _) => Err(failure::compile(
            "what the app was translated to could not be compiled; the compiler's words stand in the log above. If they name no method of yours, tell the operator",
        )),
    }
}

/// The app's files for its run: everything but sources and classes.
fn copy_files(app: &Path, files: &Path) -> io::Result<()> {
    let pages = app.join(WEB_FILES);
    if pages.is_dir() {
        let is_own = |path: &Path| path.to_str().is_none_or(|name| NOT_ANSWERED.contains(&name));
        crate::files::copy_tree(&pages, &files.join(WEB_FOLDER.trim_start_matches('/')), &is_own)?;
    }
    crate::files::copy_tree(app, files, &|path| {
        path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name))
            || path.extension().and_then(|found| found.to_str()).is_some_and(|found| SOURCES_AND_CLASSES.contains(&found))
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_types_name_main_classes() {
        let types = [
            ("worker", "java -Xmx64m shop.Work --all"),
            ("web", "java -cp app.jar:lib shop.Web"),
            ("x", "java -jar app.jar"),
            ("y", "sh run.sh"),
        ];
        let types = types.iter().map(|(kind, command)| ((*kind).to_owned(), (*command).to_owned())).collect();
        assert_eq!(main_classes(&types, true), ["shop.Web", "shop.Work"]);
        let types = [("worker".to_owned(), "java shop.Work".to_owned())].into();
        assert_eq!(main_classes(&types, false), ["shop.Work"]);
        assert_eq!(main_classes(&types, true), ["-", "shop.Work"]);
        assert_eq!(main_class("java a/b;rm"), None);
    }
}
