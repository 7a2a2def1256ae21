//! The compiler as builds of C and C++ know it: programs `cc`, `c++`, `ar` and `ranlib` that make WebAssembly.

use crate::{
    c::http,
    child::protocol::StageRequest,
    failure, tool,
    zig::{self, ZIG},
};
use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;

const NAMES: [&str; 4] = ["virga-cc", "virga-c++", "virga-ar", "virga-ranlib"];
/// The library with what virga_http.h declares. It is linked always and gets into the programs that use it.
const LIBRARY: &str = "libvirga_http.a";
/// Zig's own choice of 16 MiB would be most of an instance's memory.
pub(crate) const STACK_BYTES: u32 = 1 << 20;

/// The programs in a folder of the staging, with the environment they need.
pub(crate) struct Driver {
    folder: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Driver {
    /// Lays the programs out and compiles the library.
    ///
    /// # Errors
    /// When the platform cannot.
    pub(crate) fn new(request: &StageRequest) -> Result<Self, StagingError> {
        let unmade = |error: io::Error| failure::internal("prepare the compiler", &error);
        let toolchain = request.toolchain(&ZIG)?;
        let folder = request.work.join("compiler");
        let program = toolchain.join(zig::PROGRAM);
        let cache = zig::cache(toolchain, &request.cache).map_err(unmade)?;
        Self::lay_out(&folder, &program).map_err(unmade)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([folder.clone()].into_iter().chain(std::env::split_paths(&path)))
            .map_err(|error| failure::internal("prepare the compiler", &error))?;
        let environment = vec![
            ("PATH", path),
            ("CC", NAMES[0].into()),
            ("CXX", NAMES[1].into()),
            ("AR", NAMES[2].into()),
            ("RANLIB", NAMES[3].into()),
            ("ZIG_GLOBAL_CACHE_DIR", cache.clone().into()),
            ("ZIG_LOCAL_CACHE_DIR", cache.into()),
            // What __DATE__ and __TIME__ are: the same app, the same program.
            ("SOURCE_DATE_EPOCH", "1".into()),
        ];
        let driver = Self { folder, environment };
        driver.compile_library()?;
        Ok(driver)
    }

    fn lay_out(folder: &Path, zig: &Path) -> io::Result<()> {
        fs::create_dir_all(folder.join("include"))?;
        for (name, text) in http::FILES.into_iter().chain([http::EXCEPTIONS]) {
            fs::write(folder.join("include").join(Path::new(name).file_name().unwrap_or_default()), text)?;
        }
        let (zig, folder_shown) = (zig.display(), folder.display());
        for (name, tool) in NAMES.into_iter().zip(["cc", "c++", "ar", "ranlib"]) {
            let text = if tool == "cc" || tool == "c++" {
                // Library and stack belong to linking alone: other calls would warn of them, and some builds stop at warnings.
                format!(
                    "#!/bin/sh\nlibrary='{folder_shown}/{LIBRARY}' strip=-s stack=-Wl,-z,stack-size={STACK_BYTES}\nfor word in \"$@\"; do\n  case \"$word\" in -c|-E|-S|-M|-MM|--version|-v|-dumpmachine|-print-*) library= strip= stack=;; esac\ndone\nexec '{zig}' {tool} -target wasm32-wasi -I'{folder_shown}/include' -Wno-unused-command-line-argument $stack \"$@\" ${{library:+\"$library\"}} $strip\n"
                )
            } else {
                format!("#!/bin/sh\nexec '{zig}' {tool} \"$@\"\n")
            };
            let path = folder.join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    fn compile_library(&self) -> Result<(), StagingError> {
        let sources = ["virga_http", "virga_exceptions"];
        let mut is_made = true;
        for source in sources {
            let words = ["-O2".into(), "-c".into(), format!("include/{source}.c"), "-o".into(), format!("{source}.o")];
            is_made = is_made && self.run(NAMES[0], words.map(OsString::from), &self.folder)?;
        }
        let archive = ["rcs".into(), LIBRARY.into()].into_iter().chain(sources.map(|source| format!("{source}.o")));
        is_made = is_made && self.run(NAMES[2], archive.map(OsString::from), &self.folder)?;
        if is_made { Ok(()) } else { Err(failure::internal("compile its own library", &"the compiler failed")) }
    }

    /// Runs a program that may call the compiler; says whether it succeeded.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn run(&self, program: &str, arguments: impl IntoIterator<Item = OsString>, folder: &Path) -> Result<bool, StagingError> {
        let environment: Vec<(&str, &OsStr)> = self.environment.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
        let found = self.folder.join(program);
        let program = if found.is_file() { found.display().to_string() } else { program.to_owned() };
        tool::run(&program, arguments, folder, &environment).map_err(|error| failure::internal(&format!("start {program}"), &error))
    }

    /// Names of the C compiler, the C++ compiler, the archiver and its indexer; they are on the path.
    pub(crate) fn names(&self) -> [&'static str; 4] {
        NAMES
    }

    /// Where they lie.
    pub(crate) fn paths(&self) -> [PathBuf; 4] {
        NAMES.map(|name| self.folder.join(name))
    }
}
