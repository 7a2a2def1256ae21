//! What of this machine a build may see: the system's programs and libraries, languages that are installed elsewhere, and
//! certificates. Nothing of an operator's home folder but a language's own.

use crate::toolchain::find_program;
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Folders with programs and libraries alone.
const SYSTEM: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];
/// Settings that programs under `/usr` cannot do without, and that hold no secrets.
const SETTINGS: [&str; 15] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "maven/logging",
    "maven/m2.conf",
    "mime.types",
    "pki",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
];
/// The same, by the beginning of their names: a language's settings for each of its versions.
const SETTINGS_OF_LANGUAGES: [&str; 5] = ["java-", "python3", "php", "perl", "ruby"];
/// Variables that name certificates.
const CERTIFICATES: [&str; 5] = ["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "PIP_CERT"];

/// How a language is asked for its own folder, of which its programs are in `bin`.
const LANGUAGES: &[(&str, &[&str], Answer)] = &[
    ("python3", &["-I", "-c", "import sys; print(sys.base_prefix)"], Answer::Home),
    ("node", &["-p", "process.execPath"], Answer::Program),
    ("go", &["env", "GOROOT"], Answer::Home),
    ("rustc", &["--print", "sysroot"], Answer::Home),
    ("java", &["-XshowSettings:properties", "-version"], Answer::JavaHome),
    ("ruby", &["-e", "print RbConfig::CONFIG['prefix']"], Answer::Home),
    ("php", &["-r", "print PHP_BINARY;"], Answer::Program),
    ("dotnet", &["--list-sdks"], Answer::Bracketed),
];

#[derive(Clone, Copy)]
enum Answer {
    /// The folder itself.
    Home,
    /// A program in its `bin`.
    Program,
    /// A line `java.home = …` among others.
    JavaHome,
    /// A folder in brackets, under the home.
    Bracketed,
}

/// One thing of the machine inside a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A folder or file, to be read under the same name.
    Readable(PathBuf),
    /// A symbolic link of the system.
    Link { at: PathBuf, to: PathBuf },
}

/// What builds see of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) parts: Vec<Part>,
    /// `PATH` of builds.
    pub(crate) path: String,
    /// Variables about certificates.
    pub(crate) certificates: Vec<(String, String)>,
}

impl Machine {
    /// Looks at the machine; asks the languages that are not among the system's programs where they are. `hidden` are folders
    /// that must stay out of reach whatever they answer.
    pub(crate) fn look(readable: &[PathBuf], hidden: &[PathBuf]) -> Self {
        let mut parts = system();
        let mut path: Vec<PathBuf> = Vec::new();
        let mut homes: BTreeSet<PathBuf> = BTreeSet::new();
        let named = readable.iter().filter_map(|folder| folder.canonicalize().ok());
        for home in named.chain(LANGUAGES.iter().filter_map(|(program, arguments, answer)| home(program, arguments, *answer))) {
            if is_hidden(&home, hidden) {
                tracing::warn!(folder = %home.display(), "staging: a language's folder holds more than the language and stays out of reach of builds");
                continue;
            }
            path.extend([home.join("bin"), home.clone()].into_iter().take(if home.join("bin").is_dir() { 1 } else { 2 }));
            if !is_system(&home) {
                homes.insert(home);
            }
        }
        parts.extend(homes.into_iter().map(Part::Readable));
        let inherited = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
        path.extend(inherited.into_iter().filter(|folder| is_system(folder)));
        path.extend(["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from));
        let mut seen = BTreeSet::new();
        path.retain(|folder| folder.is_dir() && seen.insert(folder.clone()));
        let certificates: Vec<_> = CERTIFICATES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), env::var(name).ok().filter(|value| !value.is_empty())?)))
            .collect();
        let outside = certificates.iter().flat_map(|(_, value)| value.split(':')).map(PathBuf::from);
        let outside: BTreeSet<_> = outside.filter(|path| path.is_absolute() && path.exists() && !is_hidden(path, hidden)).collect();
        parts.extend(outside.into_iter().filter(|path| !is_seen(path, &parts_of(&parts))).map(Part::Readable).collect::<Vec<_>>());
        let path = path.iter().filter_map(|folder| folder.to_str()).collect::<Vec<_>>().join(":");
        Self { parts, path, certificates }
    }
}

fn parts_of(parts: &[Part]) -> Vec<PathBuf> {
    parts
        .iter()
        .filter_map(|part| match part {
            Part::Readable(path) => Some(path.clone()),
            Part::Link { .. } => None,
        })
        .collect()
}

fn is_seen(path: &Path, readable: &[PathBuf]) -> bool {
    readable.iter().any(|folder| path.starts_with(folder))
}

fn is_system(path: &Path) -> bool {
    SYSTEM.iter().any(|folder| path.starts_with(folder))
}

/// Whether one of the hidden folders is in this one, or this one in it.
fn is_hidden(folder: &Path, hidden: &[PathBuf]) -> bool {
    folder.parent().is_none() || hidden.iter().any(|hidden| hidden.starts_with(folder))
}

fn system() -> Vec<Part> {
    let mut parts = Vec::new();
    for folder in SYSTEM.map(PathBuf::from) {
        match fs::read_link(&folder) {
            Ok(to) => parts.push(Part::Link { at: folder, to }),
            Err(_) if folder.is_dir() => parts.push(Part::Readable(folder)),
            Err(_) => {}
        }
    }
    let etc = Path::new("/etc");
    let mut settings: Vec<PathBuf> = SETTINGS.iter().map(|name| etc.join(name)).collect();
    let of_language = |name: &str| SETTINGS_OF_LANGUAGES.iter().any(|prefix| name.starts_with(prefix));
    let names = fs::read_dir(etc).into_iter().flatten().flatten();
    settings.extend(names.filter(|entry| entry.file_name().to_str().is_some_and(of_language)).map(|entry| entry.path()));
    settings.sort();
    parts.extend(settings.into_iter().filter(|path| path.exists()).map(Part::Readable));
    parts
}

/// The folder of a language whose program is not where the system's are.
fn home(program: &str, arguments: &[&str], answer: Answer) -> Option<PathBuf> {
    let path = find_program(program)?;
    let is_plain = SYSTEM.iter().any(|folder| path.parent() == Some(Path::new(folder).join("bin").as_path()));
    if is_plain && path.canonicalize().is_ok_and(|path| is_system(&path)) {
        return None;
    }
    let output = Command::new(path).args(arguments).current_dir("/").stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let home = match answer {
        Answer::Home => PathBuf::from(said.lines().next()?.trim()),
        Answer::Program => PathBuf::from(said.lines().next()?.trim()).canonicalize().ok()?.parent()?.parent()?.to_owned(),
        Answer::JavaHome => PathBuf::from(said.lines().find_map(|line| line.trim().strip_prefix("java.home = "))?.trim()),
        Answer::Bracketed => PathBuf::from(said.lines().last()?.rsplit_once('[')?.1.trim_end().strip_suffix(']')?).parent()?.to_owned(),
    };
    home.canonicalize().ok().filter(|home| home.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_folder_is_never_a_language() {
        let hidden = [PathBuf::from("/home/operator"), PathBuf::from("/srv/virga-data")];
        for folder in ["/", "/home", "/home/operator", "/srv", "/srv/virga-data"] {
            assert!(is_hidden(Path::new(folder), &hidden), "{folder}");
        }
        assert!(!is_hidden(Path::new("/home/operator/.pyenv/versions/3.14"), &hidden));
    }

    #[test]
    fn the_systems_programs_are_seen_and_its_secrets_are_not() {
        let machine = Machine::look(&[], &[]);
        assert!(machine.path.split(':').any(|folder| folder == "/usr/bin"), "{}", machine.path);
        let seen = parts_of(&machine.parts);
        assert!(is_seen(Path::new("/usr/bin/env"), &seen));
        for secret in ["/etc/shadow", "/etc/ssl/private", "/root/.ssh", "/home", "/proc", "/run", "/var"] {
            assert!(!is_seen(Path::new(secret), &seen), "{secret}");
        }
    }
}
