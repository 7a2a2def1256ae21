//! One sandbox: what of the machine and of the platform's folders is in it and under which name, as `bwrap` takes it.
//! The names inside are the same for every staging, so that nothing a build writes down tells two of them apart.

use super::machine::{Machine, Part};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

/// The staging's folder.
pub(crate) const STAGING: &str = "/staging";
/// The app's cache.
pub(crate) const CACHE: &str = "/cache";
/// Toolchains, each under its name.
pub(crate) const TOOLCHAINS: &str = "/toolchains";
/// The platform's program.
pub(crate) const PROGRAM: &str = "/virga/virga";
/// The socket to the platform's package proxy.
pub(crate) const PROXY: &str = "/virga/proxy.sock";
/// Whoever builds is this user inside.
const USER: &str = "1000";

/// Folders of the platform that are in a sandbox.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    /// Written to.
    pub(crate) scratch: &'a Path,
    /// Written to.
    pub(crate) cache: &'a Path,
    /// By name; read only.
    pub(crate) toolchains: &'a BTreeMap<String, PathBuf>,
    /// The package proxy's socket; without one there is no network at all.
    pub(crate) proxy: Option<&'a Path>,
}

impl Room<'_> {
    /// The name inside of a path of the platform's; `None` for what is not in the room.
    pub(crate) fn inside(&self, path: &Path) -> Option<PathBuf> {
        let under = |folder: &Path, name: &Path| path.strip_prefix(folder).ok().map(|rest| name.join(rest));
        let toolchain = || self.toolchains.iter().find_map(|(name, folder)| under(folder, &Path::new(TOOLCHAINS).join(name)));
        under(self.scratch, Path::new(STAGING)).or_else(|| under(self.cache, Path::new(CACHE))).or_else(toolchain)
    }

    /// Makes what the sandbox is built of, and gives the arguments of `bwrap` up to the program to run.
    ///
    /// # Errors
    /// When a folder or file cannot be written.
    pub(crate) fn arguments(&self, machine: &Machine, program: &Path) -> io::Result<Vec<OsString>> {
        let mut arguments = Arguments(Vec::new());
        // No --disable-userns: versions before 0.8 do not know it, and the filter refuses further namespaces.
        arguments.words(&["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]);
        arguments.words(&["--new-session", "--die-with-parent", "--uid", USER, "--gid", USER, "--hostname", "staging"]);
        for part in &machine.parts {
            match part {
                Part::Readable(path) => arguments.bind("--ro-bind", path, path),
                Part::Link { at, to } => arguments.bind("--symlink", to, at),
            }
        }
        for (name, text) in SETTINGS {
            let file = self.scratch.join("etc").join(name);
            fs::create_dir_all(self.scratch.join("etc"))?;
            fs::write(&file, text)?;
            arguments.bind("--ro-bind", &file, &Path::new("/etc").join(name));
        }
        arguments.words(&["--proc", "/proc", "--dev", "/dev"]);
        for (name, at) in [("shm", "/dev/shm"), ("tmp", "/tmp")] {
            let folder = self.scratch.join(name);
            fs::create_dir_all(&folder)?;
            arguments.bind("--bind", &folder, Path::new(at));
        }
        arguments.bind("--bind", self.scratch, Path::new(STAGING));
        arguments.bind("--bind", self.cache, Path::new(CACHE));
        for (name, folder) in self.toolchains {
            arguments.bind("--ro-bind", folder, &Path::new(TOOLCHAINS).join(name));
        }
        arguments.bind("--ro-bind", program, Path::new(PROGRAM));
        if let Some(proxy) = self.proxy {
            arguments.bind("--ro-bind", proxy, Path::new(PROXY));
        }
        // What is not bound is memory that no limit counts. Where the platform runs as root, the kernel's settings in /proc would obey
        // whoever has its user number, in whatever namespace.
        arguments.words(&["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", STAGING]);
        Ok(arguments.0)
    }
}

/// Files of `/etc` that are the sandbox's own.
const SETTINGS: [(&str, &str); 4] = [
    ("passwd", "staging:x:1000:1000:staging:/staging/home:/bin/sh\n"),
    ("group", "staging:x:1000:\n"),
    ("hosts", "127.0.0.1 localhost staging\n::1 localhost\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
];

struct Arguments(Vec<OsString>);

impl Arguments {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn bind(&mut self, how: &str, from: &Path, to: &Path) {
        self.0.extend([OsStr::new(how), from.as_os_str(), to.as_os_str()].map(OsStr::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_the_same_names_in_every_sandbox() {
        let toolchains = BTreeMap::from([("zig".to_owned(), PathBuf::from("/data/toolchains/zig-1-abc"))]);
        let room = Room { scratch: Path::new("/data/staging/1"), cache: Path::new("/data/cache/2"), toolchains: &toolchains, proxy: None };
        let inside = |path: &str| room.inside(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(inside("/data/staging/1/app/x").as_deref(), Some("/staging/app/x"));
        assert_eq!(inside("/data/cache/2").as_deref(), Some("/cache/"));
        assert_eq!(inside("/data/toolchains/zig-1-abc/lib").as_deref(), Some("/toolchains/zig/lib"));
        assert_eq!(inside("/data/staging/2"), None);
    }
}
