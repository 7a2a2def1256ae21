//! Which of a module's programs go into the droplet. A droplet holds one component: several programs are linked into one, which
//! looks at the first word of its command.

use super::source;
use crate::failure;
use std::{collections::BTreeMap, fmt::Write as _, fs, io, path::Path};
use virga_contract::staging::StagingError;

/// Folder of the program that calls the others.
const JOINED: &str = "virga_commands";
/// What the packages of joined programs are called, which may not be `main` to be imported.
const PACKAGE: &str = "command";

/// A folder with a `main` package.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Command {
    /// What `go install` would call it.
    name: String,
    /// Relative to the module, `.` for its own.
    folder: String,
}

/// What is built.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// The first is what serves, and what runs where the command's first word is none of them.
    commands: Vec<Command>,
    module: String,
}

/// Chooses the programs that the Procfile names, else the only one.
///
/// # Errors
/// When there is none, or several and nothing says which.
pub(super) fn choose(app: &Path, types: &BTreeMap<String, String>) -> Result<Program, StagingError> {
    let text = fs::read(app.join("go.mod")).map_err(|error| failure::internal("read go.mod", &error))?;
    let text = String::from_utf8_lossy(&text);
    let Some(module) = source::module_path(&text) else {
        return Err(failure::compile("go.mod names no module; begin it with a line 'module example.com/app'"));
    };
    let all = find(app, module).map_err(|error| failure::internal("look for programs", &error))?;
    let names = || all.iter().map(|command| command.name.as_str()).collect::<Vec<_>>().join(", ");
    let program = |commands| Ok(Program { commands, module: module.to_owned() });
    match all.as_slice() {
        [] => return Err(failure::compile("the module has no program: no folder of it has a 'package main'")),
        [only] => return program(vec![only.clone()]),
        _ => {}
    }
    let mut chosen: Vec<Command> = Vec::new();
    let web_first = types.iter().filter(|(kind, _)| *kind == "web").chain(types.iter().filter(|(kind, _)| *kind != "web"));
    for (kind, line) in web_first {
        let word = line.split_whitespace().next().unwrap_or_default();
        let wanted = word.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let Some(found) = all.iter().find(|command| command.name == wanted) else {
            return Err(failure::compile(format!(
                "the Procfile's {kind} runs '{word}', which is no program of the module; it has {}",
                names()
            )));
        };
        if !chosen.contains(found) {
            chosen.push(found.clone());
        }
    }
    if chosen.is_empty() {
        let own = all.iter().find(|command| command.folder == ".");
        let Some(own) = own else {
            return Err(failure::compile(format!(
                "the module has the programs {} and nothing says which of them is the app; name it in a Procfile, such as 'web: bin/{}'",
                names(),
                all.first().map_or("app", |command| command.name.as_str())
            )));
        };
        chosen.push(own.clone());
    }
    program(chosen)
}

/// All programs, in order of their folders.
fn find(app: &Path, module: &str) -> io::Result<Vec<Command>> {
    let mut found = Vec::new();
    let folders = walkdir::WalkDir::new(app).sort_by_file_name().into_iter().filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        let is_own = entry.depth() == 0 || !entry.path().join("go.mod").is_file();
        entry.file_type().is_dir()
            && is_own
            && (entry.depth() == 0 || !(name.starts_with(['.', '_']) || name == "testdata" || name == "vendor"))
    });
    for folder in folders {
        let folder = folder?;
        if sources(folder.path())?.iter().any(|(_, text)| is_main(text)) {
            let inside = folder.path().strip_prefix(app).map_err(io::Error::other)?.to_string_lossy().into_owned();
            let name = last_element(if inside.is_empty() { module } else { &inside }).to_owned();
            found.push(Command { name, folder: if inside.is_empty() { ".".to_owned() } else { inside } });
        }
    }
    Ok(found)
}

/// The last element of a path that is no major version.
fn last_element(path: &str) -> &str {
    let is_version =
        |element: &str| element.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    let mut elements = path.rsplit('/');
    let last = elements.next().unwrap_or(path);
    if is_version(last) { elements.next().unwrap_or(last) } else { last }
}

fn is_main(text: &str) -> bool {
    source::clause(text).is_some_and(|clause| clause.name == "main" && !clause.is_ignored)
}

/// The Go files of a folder that are no tests.
fn sources(folder: &Path) -> io::Result<Vec<(std::path::PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_source = name.ends_with(".go") && !name.ends_with("_test.go") && !name.starts_with(['.', '_']);
        if is_source && entry.file_type()?.is_file() {
            found.push((entry.path(), String::from_utf8_lossy(&fs::read(entry.path())?).into_owned()));
        }
    }
    Ok(found)
}

impl Program {
    pub(super) fn has_several(&self) -> bool {
        self.commands.len() > 1
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.commands.iter().map(|command| command.name.as_str()).collect()
    }

    /// Makes the app's files ready; gives the package to build.
    pub(super) fn prepare(&self, app: &Path) -> Result<String, StagingError> {
        match self.commands.as_slice() {
            [only] if only.folder == "." => Ok(".".into()),
            [only] => Ok(format!("./{}", only.folder)),
            _ => {
                self.join(app).map_err(|error| failure::internal("join the app's programs", &error))?;
                Ok(format!("./{JOINED}"))
            }
        }
    }

    /// Makes packages of the programs that can be imported, and one program that calls them.
    fn join(&self, app: &Path) -> io::Result<()> {
        for command in &self.commands {
            let folder = app.join(&command.folder);
            for (path, text) in sources(&folder)? {
                let Some(clause) = source::clause(&text).filter(|clause| clause.name == "main" && !clause.is_ignored) else { continue };
                let (before, after) = text.split_at(clause.at);
                let after = after.strip_prefix("main").unwrap_or(after);
                fs::write(path, format!("{before}{PACKAGE}{after}"))?;
            }
            let call = format!("package {PACKAGE}\n\n// VirgaMain is the program that was here.\nfunc VirgaMain() {{ main() }}\n");
            fs::write(folder.join("virga_main.go"), call)?;
        }
        fs::create_dir_all(app.join(JOINED))?;
        fs::write(app.join(JOINED).join("main.go"), self.joined())
    }

    fn joined(&self) -> String {
        let mut text = String::from("package main\n\nimport (\n\t\"os\"\n\t\"path\"\n\n");
        // Writing to a String cannot fail.
        for (index, command) in self.commands.iter().enumerate() {
            let path = if command.folder == "." { self.module.clone() } else { format!("{}/{}", self.module, command.folder) };
            let _ = writeln!(text, "\tcommand{index} {path:?}");
        }
        text.push_str(")\n\nfunc main() {\n\tswitch path.Base(os.Args[0]) {\n");
        for (index, command) in self.commands.iter().enumerate().skip(1) {
            let _ = writeln!(text, "\tcase {:?}:\n\t\tcommand{index}.VirgaMain()", command.name);
        }
        text.push_str("\tdefault:\n\t\tcommand0.VirgaMain()\n\t}\n}\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;

    fn types(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(kind, command)| ((*kind).to_owned(), (*command).to_owned())).collect()
    }

    const SHOP: &[(&str, &str)] = &[
        ("go.mod", "module example.com/shop\n"),
        ("cmd/web/main.go", "// The shop.\npackage main\n\nfunc main() {}\n"),
        ("cmd/worker/main.go", "package main\n\nfunc main() {}\n"),
        ("cmd/worker/more_test.go", "package main\n"),
        ("internal/stock/stock.go", "package stock\n"),
        ("vendor/example.com/other/main.go", "package main\n"),
        ("gen.go", "//go:build ignore\n\npackage main\n"),
    ];

    #[test]
    fn the_procfile_says_which_programs() {
        let shop = app(SHOP);
        let both = choose(shop.path(), &types(&[("worker", "./cmd/worker --all"), ("web", "bin/web")])).unwrap();
        assert_eq!(both.names(), ["web", "worker"]);
        assert_eq!(both.prepare(shop.path()).unwrap(), "./virga_commands");
        let web = fs::read_to_string(shop.path().join("cmd/web/main.go")).unwrap();
        assert_eq!(web, "// The shop.\npackage command\n\nfunc main() {}\n");
        let joined = fs::read_to_string(shop.path().join("virga_commands/main.go")).unwrap();
        assert!(joined.contains("command1 \"example.com/shop/cmd/worker\"") && joined.contains("case \"worker\":"), "{joined}");
        assert!(fs::read_to_string(shop.path().join("gen.go")).unwrap().contains("package main"));
    }

    #[test]
    fn what_is_not_clear_is_asked() {
        let shop = app(SHOP);
        let error = choose(shop.path(), &types(&[])).unwrap_err();
        assert!(error.message.contains("web, worker") && error.message.contains("Procfile"), "{error}");
        let error = choose(shop.path(), &types(&[("web", "bin/shop")])).unwrap_err();
        assert!(error.message.contains("'bin/shop'") && error.message.contains("web, worker"), "{error}");
        let none = choose(app(&[("go.mod", "module a\n"), ("a.go", "package a\n")]).path(), &types(&[])).unwrap_err();
        assert!(none.message.contains("package main"), "{none}");
    }

    #[test]
    fn the_only_program_is_the_app() {
        let one = app(&[
            ("go.mod", "module example.com/one/v3\n"),
            ("main.go", "package main\n"),
            ("tool/go.mod", ""),
            ("tool/main.go", "package main\n"),
        ]);
        let program = choose(one.path(), &types(&[("web", "anything")])).unwrap();
        assert_eq!((program.names(), program.prepare(one.path()).unwrap()), (vec!["one"], ".".to_owned()));
    }
}
