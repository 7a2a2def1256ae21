//! Where the app's gems come from: the app itself, the interpreter, what the buildpack brings, or the registry of gems.

use super::{
    archive,
    lock::{Gemfile, Lock, Locked, Source},
};
use crate::{failure, tool};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::droplet::Software;

/// Gems that a running app does without here: servers (the platform is one), and what speeds up the start of a machine's Ruby.
const LEFT_OUT: [&str; 14] = [
    "bootsnap",
    "byebug",
    "daemons",
    "debug",
    "eventmachine",
    "falcon",
    "iodine",
    "listen",
    "passenger",
    "puma",
    "spring",
    "thin",
    "unicorn",
    "webrick",
];
/// Gems that are part of the interpreter's standard library; its own version is used where the app brings none in pure Ruby.
const OF_THE_INTERPRETER: [&str; 61] = [
    "abbrev",
    "base64",
    "benchmark",
    "bundler",
    "cgi",
    "csv",
    "date",
    "delegate",
    "did_you_mean",
    "digest",
    "drb",
    "english",
    "erb",
    "error_highlight",
    "etc",
    "fcntl",
    "fileutils",
    "find",
    "forwardable",
    "getoptlong",
    "io-wait",
    "ipaddr",
    "json",
    "logger",
    "matrix",
    "minitest",
    "mutex_m",
    "net-http",
    "net-protocol",
    "observer",
    "open-uri",
    "open3",
    "openssl",
    "optparse",
    "ostruct",
    "pathname",
    "pp",
    "prettyprint",
    "prime",
    "prism",
    "pstore",
    "psych",
    "rake",
    "rdoc",
    "resolv",
    "rexml",
    "rss",
    "ruby2_keywords",
    "securerandom",
    "set",
    "shellwords",
    "singleton",
    "stringio",
    "strscan",
    "tempfile",
    "test-unit",
    "time",
    "timeout",
    "tmpdir",
    "uri",
    "zlib",
];
/// Gems with compiled parts that work without them.
const WORK_WITHOUT: [&str; 1] = ["racc"];
/// Where gems that are not in the app's own folders lie in the guest.
const GEMS_AT: &str = ".virga/gems";

/// The gems of an app.
#[derive(Debug, Default)]
pub(super) struct Gems {
    /// Folders of the guest that Ruby looks for libraries in.
    pub(super) paths: Vec<String>,
    /// What goes into the guest: a folder here, and its place there.
    pub(super) copies: Vec<(PathBuf, String)>,
    pub(super) software: Vec<Software>,
    pub(super) left_out: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Finds them all.
///
/// # Errors
/// Names the first gem that cannot be had, and what to do about it.
pub(super) fn find(app: &Path, toolchain: &Path, cache: &Path) -> Result<Gems, StagingError> {
    let brought = brought(&toolchain.join("gems")).map_err(|error| failure::internal("read the buildpack's gems", &error))?;
    let mut finder = Finder { app, cache, brought, gems: Gems::default() };
    let gemfile = Gemfile::parse(&read(app, "Gemfile")?);
    let mut without = gemfile.others.clone();
    for name in LEFT_OUT {
        if gemfile.deployed.contains(name) {
            finder.gems.left_out.push(name.to_owned());
        }
        without.insert(name.to_owned());
    }
    if app.join("Gemfile.lock").is_file() {
        let lock = Lock::parse(&read(app, "Gemfile.lock")?);
        for gem in lock.needed(&without) {
            finder.locked(gem)?;
        }
    } else {
        finder.unlocked(gemfile.deployed.iter().filter(|name| !without.contains(*name)))?;
    }
    if !finder.gems.software.iter().any(|gem| gem.name == "rack") {
        finder.bring("rack")?;
    }
    Ok(finder.gems)
}

/// A file of the app; nothing for one that is not there.
fn read(app: &Path, name: &str) -> Result<String, StagingError> {
    match fs::read(app.join(name)) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(failure::compile(format!("{name} cannot be read: {error}"))),
    }
}

/// A gem that the buildpack brings.
#[derive(Debug, Clone)]
struct Brought {
    version: String,
    folder: PathBuf,
    needs: Vec<String>,
}

fn brought(folder: &Path) -> io::Result<BTreeMap<String, Brought>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let full = entry.file_name().to_string_lossy().into_owned();
        let Some((name, version)) = full.rsplit_once('-') else { continue };
        let specification = fs::read_to_string(entry.path().join("gemspec"))?;
        let gem = Brought { version: version.to_owned(), folder: entry.path(), needs: needs(&specification) };
        found.insert(name.to_owned(), gem);
    }
    Ok(found)
}

/// Names of the gems that a gem's specification says it needs when it runs.
fn needs(specification: &str) -> Vec<String> {
    let lines = specification.lines().filter(|line| line.contains("add_runtime_dependency") || line.contains("add_dependency"));
    lines.filter_map(|line| line.split_once("%q<")?.1.split_once('>')).map(|(name, _)| name.to_owned()).collect()
}

struct Finder<'a> {
    app: &'a Path,
    cache: &'a Path,
    brought: BTreeMap<String, Brought>,
    gems: Gems,
}

impl Finder<'_> {
    /// A gem of the lock file.
    fn locked(&mut self, gem: &Locked) -> Result<(), StagingError> {
        if let Source::Path(folder) = &gem.source {
            return self.of_the_app(&gem.name, &gem.version, folder.trim_start_matches("./"));
        }
        if let Some(folder) = self.vendored(&gem.name, &gem.version)? {
            return self.of_the_app(&gem.name, &gem.version, &folder);
        }
        if OF_THE_INTERPRETER.contains(&gem.name.as_str()) {
            return Ok(());
        }
        if self.brought.get(&gem.name).is_some_and(|brought| brought.version == gem.version) {
            return self.bring(&gem.name);
        }
        if let Source::Git(address) = &gem.source {
            return Err(failure::compile(format!(
                "the gem '{}' comes from {address}, which staging does not fetch; run 'bundle config set --local cache_all true' and 'bundle package', and push again",
                gem.name
            )));
        }
        let file = match self.packed(gem)? {
            Some(file) => file,
            None => self.fetched(gem)?,
        };
        self.unpacked(gem, &file)
    }

    /// Gems of a Gemfile without a lock file: any version that the app or the buildpack brings.
    fn unlocked<'n>(&mut self, names: impl Iterator<Item = &'n String>) -> Result<(), StagingError> {
        let mut is_empty = true;
        for name in names {
            is_empty = false;
            if let Some((version, folder)) = self.vendored_in_any_version(name)? {
                self.of_the_app(name, &version, &folder)?;
            } else if !OF_THE_INTERPRETER.contains(&name.as_str()) {
                self.bring(name)?;
            }
        }
        if is_empty {
            for name in self.brought.keys().cloned().collect::<Vec<_>>() {
                self.bring(&name)?;
            }
        }
        Ok(())
    }

    /// Folders where gems lie in an app, relative to it.
    fn gem_folders(&self) -> Result<Vec<String>, StagingError> {
        let mut folders = vec!["vendor/gems".to_owned()];
        for middle in ["vendor/bundle/ruby", "vendor/ruby", ".bundle/ruby"] {
            let Ok(entries) = fs::read_dir(self.app.join(middle)) else { continue };
            for entry in entries {
                let entry = entry.map_err(|error| failure::internal("look for gems", &error))?;
                folders.push(format!("{middle}/{}/gems", entry.file_name().to_string_lossy()));
            }
        }
        folders.sort();
        Ok(folders)
    }

    fn vendored(&self, name: &str, version: &str) -> Result<Option<String>, StagingError> {
        let folders = self.gem_folders()?.into_iter().map(|folder| format!("{folder}/{name}-{version}"));
        let candidates = folders.chain([format!("vendor/cache/{name}-{version}")]);
        Ok(candidates.into_iter().find(|folder| self.app.join(folder).is_dir()))
    }

    /// The version and folder of the last one in order of name.
    fn vendored_in_any_version(&self, name: &str) -> Result<Option<(String, String)>, StagingError> {
        let mut found = None;
        for folder in self.gem_folders()? {
            let Ok(entries) = fs::read_dir(self.app.join(&folder)) else { continue };
            let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            for full in names {
                if let Some((found_name, version)) = full.rsplit_once('-')
                    && found_name == name
                {
                    found = Some((version.to_owned(), format!("{folder}/{full}")));
                }
            }
        }
        Ok(found)
    }

    /// A gem whose files are among the app's own.
    fn of_the_app(&mut self, name: &str, version: &str, folder: &str) -> Result<(), StagingError> {
        if !Path::new(folder).components().all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)) {
            return Err(failure::compile(format!(
                "the gem '{name}' lies in {folder}, outside of what was pushed; move it into the app's folder"
            )));
        }
        if is_compiled(&self.app.join(folder)) && !WORK_WITHOUT.contains(&name) {
            return if OF_THE_INTERPRETER.contains(&name) { Ok(()) } else { Err(compiled(name, version)) };
        }
        let library = if folder == "." { "/lib".to_owned() } else { format!("/{folder}/lib") };
        self.add(name, version, library);
        Ok(())
    }

    fn add(&mut self, name: &str, version: &str, library: String) {
        if !self.gems.paths.contains(&library) {
            self.gems.paths.push(library);
            self.gems.software.push(Software { name: name.to_owned(), version: version.to_owned() });
        }
    }

    /// A gem of the buildpack's own, and what it needs.
    fn bring(&mut self, name: &str) -> Result<(), StagingError> {
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            if OF_THE_INTERPRETER.contains(&next.as_str()) || self.gems.software.iter().any(|gem| gem.name == next) {
                continue;
            }
            let gem = match self.brought.get(&next).cloned() {
                Some(gem) => gem,
                None if next == name => return Err(self.not_brought(name)),
                // Specifications of Debian's packages also name gems that only tests need.
                None => continue,
            };
            let place = format!("{GEMS_AT}/{next}-{}", gem.version);
            self.add(&next, &gem.version, format!("/{place}/lib"));
            self.gems.copies.push((gem.folder, place));
            open.extend(gem.needs);
        }
        Ok(())
    }

    fn not_brought(&self, name: &str) -> StagingError {
        let list: Vec<String> = self.brought.iter().map(|(name, gem)| format!("{name} {}", gem.version)).collect();
        let list = if list.is_empty() { "none on this platform".to_owned() } else { list.join(", ") };
        failure::compile(format!(
            "the gem '{name}' is not in the app, and the buildpack does not bring it (it brings {list}); run 'bundle package', which puts gems into vendor/cache and writes a Gemfile.lock, and push again"
        ))
    }

    /// The file of a gem in `vendor/cache`.
    fn packed(&self, gem: &Locked) -> Result<Option<Vec<u8>>, StagingError> {
        let name = format!("vendor/cache/{}-{}.gem", gem.name, gem.version);
        match fs::read(self.app.join(&name)) {
            Ok(file) if gem.is_genuine(&file) => Ok(Some(file)),
            Ok(_) => {
                Err(failure::compile(format!("{name} is not the file that the Gemfile.lock's checksum is of; run 'bundle package' again")))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure::internal("read a gem", &error)),
        }
    }

    /// The file of a gem from the registry, kept for the app's next staging.
    fn fetched(&self, gem: &Locked) -> Result<Vec<u8>, StagingError> {
        let folder = self.cache.join("gems");
        fs::create_dir_all(&folder).map_err(|error| failure::internal("make a folder", &error))?;
        let place = folder.join(format!("{}-{}.gem", gem.name, gem.version));
        if !place.is_file() {
            let asked = ["fetch", &gem.name, "--version", &gem.version, "--platform", "ruby", "--norc", "--quiet"];
            match tool::fetch("gem", asked, &folder, &[]) {
                Ok(true) => {}
                Ok(false) => return Err(self.not_had(gem, "the registry of gems did not give it, see the lines above")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(self.not_had(gem, "the platform's machine has no 'gem' program to get it with"));
                }
                Err(error) => return Err(failure::internal("start gem", &error)),
            }
        }
        let file = fs::read(&place).map_err(|_| self.not_had(gem, "the registry of gems has it for other platforms only"))?;
        if gem.is_genuine(&file) {
            Ok(file)
        } else {
            Err(self.not_had(gem, "what the registry gave is not what the Gemfile.lock's checksum is of"))
        }
    }

    fn not_had(&self, gem: &Locked, why: &str) -> StagingError {
        let brought = self.brought.get(&gem.name).map_or_else(String::new, |brought| {
            format!(" Or leave the Gemfile.lock out (.cfignore): the buildpack itself brings {} {}.", gem.name, brought.version)
        });
        failure::compile(format!(
            "the Gemfile.lock asks for the gem '{}' {}, which is not in the app, and {why}; run 'bundle package', which puts it into vendor/cache, and push again.{brought}",
            gem.name, gem.version
        ))
    }

    fn unpacked(&mut self, gem: &Locked, file: &[u8]) -> Result<(), StagingError> {
        let full = format!("{}-{}", gem.name, gem.version);
        let folder = self.cache.join("unpacked").join(&full);
        if folder.is_dir() {
            fs::remove_dir_all(&folder).map_err(|error| failure::internal("clear a folder", &error))?;
        }
        archive::unpack(file, &folder)
            .map_err(|reason| failure::compile(format!("the gem '{}' {} cannot be unpacked: {reason}", gem.name, gem.version)))?;
        if is_compiled(&folder) && !WORK_WITHOUT.contains(&gem.name.as_str()) {
            return Err(compiled(&gem.name, &gem.version));
        }
        let place = format!("{GEMS_AT}/{full}");
        self.add(&gem.name, &gem.version, format!("/{place}/lib"));
        self.gems.copies.push((folder, place));
        Ok(())
    }
}

/// Whether a gem has parts that a C compiler makes.
fn is_compiled(folder: &Path) -> bool {
    walkdir::WalkDir::new(folder.join("ext")).max_depth(4).into_iter().flatten().any(|entry| entry.file_name() == "extconf.rb")
}

fn compiled(name: &str, version: &str) -> StagingError {
    failure::compile(format!(
        "the gem '{name}' {version} has parts in C, which this Ruby (WebAssembly) cannot load; use a gem in pure Ruby instead, or put it into a group ':development' if only development needs it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let room = tempfile::tempdir().unwrap();
        let (app, toolchain) = (room.path().join("app"), room.path().join("toolchain"));
        for (name, text) in files {
            let path = app.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for (gem, text) in [("rack-2.2.22", ""), ("sinatra-3.0.5", "s.add_runtime_dependency(%q<rack>.freeze, [\"~> 2.2\"])\n")] {
            fs::create_dir_all(toolchain.join("gems").join(gem).join("lib")).unwrap();
            fs::write(toolchain.join("gems").join(gem).join("gemspec"), text).unwrap();
        }
        (room, app, toolchain)
    }

    fn found(files: &[(&str, &str)]) -> Result<Gems, StagingError> {
        let (room, app, toolchain) = app(files);
        // No registry is asked by these: there is no such program.
        find(&app, &toolchain, &room.path().join("cache"))
    }

    #[test]
    fn gems_of_the_buildpack_come_with_what_they_need() {
        let gems = found(&[("Gemfile", "gem 'sinatra'\ngem 'puma'\n")]).unwrap();
        assert_eq!(gems.paths, ["/.virga/gems/sinatra-3.0.5/lib", "/.virga/gems/rack-2.2.22/lib"]);
        assert_eq!(gems.left_out, ["puma"]);
        assert_eq!(found(&[("config.ru", "")]).unwrap().software.len(), 2);
        let missing = found(&[("Gemfile", "gem 'roda'\n")]).unwrap_err();
        assert!(
            missing.message.contains("'roda'") && missing.message.contains("rack 2.2.22") && missing.message.contains("bundle package")
        );
    }

    #[test]
    fn vendored_gems_are_used_where_they_lie() {
        let lock =
            "GEM\n  remote: r\n  specs:\n    json (2.7.0)\n    rack (3.1.8)\n    tool (1.0)\n\nDEPENDENCIES\n  json\n  rack\n  tool\n";
        let gems = found(&[
            ("Gemfile.lock", lock),
            ("vendor/bundle/ruby/3.4.0/gems/rack-3.1.8/lib/rack.rb", ""),
            ("vendor/bundle/ruby/3.4.0/gems/json-2.7.0/ext/json/extconf.rb", ""),
            ("vendor/gems/tool-1.0/lib/tool.rb", ""),
        ])
        .unwrap();
        assert_eq!(gems.paths, ["/vendor/bundle/ruby/3.4.0/gems/rack-3.1.8/lib", "/vendor/gems/tool-1.0/lib"]);
        assert!(gems.copies.is_empty());
    }

    #[test]
    fn compiled_gems_are_refused_by_name() {
        let lock = "GEM\n  specs:\n    nokogiri (1.18.0)\n\nDEPENDENCIES\n  nokogiri\n";
        let error = found(&[("Gemfile.lock", lock), ("vendor/gems/nokogiri-1.18.0/ext/nokogiri/extconf.rb", "")]).unwrap_err();
        assert!(error.message.contains("'nokogiri' 1.18.0 has parts in C"), "{error}");
    }

    #[test]
    fn a_path_outside_of_the_app_and_a_repository_are_refused() {
        let error =
            found(&[("Gemfile.lock", "PATH\n  remote: ../other\n  specs:\n    other (1)\n\nDEPENDENCIES\n  other!\n")]).unwrap_err();
        assert!(error.message.contains("outside of what was pushed"), "{error}");
        let error = found(&[("Gemfile.lock", "GIT\n  remote: https://example.org/x.git\n  specs:\n    x (1)\n\nDEPENDENCIES\n  x!\n")])
            .unwrap_err();
        assert!(error.message.contains("https://example.org/x.git"), "{error}");
    }

    #[test]
    fn a_packed_gem_must_be_what_the_lock_file_says() {
        let lock = "GEM\n  specs:\n    tiny (1.0)\n\nDEPENDENCIES\n  tiny\n\nCHECKSUMS\n  tiny (1.0) sha256=00\n";
        let error = found(&[("Gemfile.lock", lock), ("vendor/cache/tiny-1.0.gem", "other")]).unwrap_err();
        assert!(error.message.contains("vendor/cache/tiny-1.0.gem is not the file"), "{error}");
    }
}
