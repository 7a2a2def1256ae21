//! Which module and attribute hold the WSGI callable.

use crate::{failure, procfile};
use std::{fs, path::Path};
use virga_contract::staging::StagingError;

/// A module, and the attribute in it where the app names one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) module: String,
    pub(super) attribute: Option<String>,
}

const USUAL: [&str; 6] = ["app", "main", "wsgi", "application", "server", "run"];

/// From the Procfile's `web` (`gunicorn module:callable`, `python file.py`), else a usual name, else the only module.
pub(super) fn find(app: &Path) -> Result<Start, StagingError> {
    if let Some(command) = procfile::read(app).get("web") {
        return from_command(app, command).ok_or_else(|| {
            failure::compile(format!(
                "the Procfile's web command '{command}' names no module of the app; write for example: web: gunicorn app:app"
            ))
        });
    }
    let usual = USUAL.iter().find(|name| is_module(app, name)).map(|name| (*name).to_owned());
    usual.or_else(|| only_module(app)).map(|module| Start { module, attribute: None }).ok_or_else(|| {
        failure::compile(format!(
            "no module with the WSGI app was found (tried {}); name it in a Procfile: web: gunicorn module:callable",
            USUAL.map(|name| format!("{name}.py")).join(", ")
        ))
    })
}

fn from_command(app: &Path, command: &str) -> Option<Start> {
    let words: Vec<&str> = command.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
    let named = words.iter().find_map(|word| {
        let (module, attribute) = word.split_once(':')?;
        let is_callable =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
        (is_module(app, module) && is_callable(attribute.trim_end_matches("()")))
            .then(|| Start { module: module.to_owned(), attribute: Some(attribute.to_owned()) })
    });
    named.or_else(|| {
        let stems = words.iter().map(|word| word.strip_suffix(".py").unwrap_or(word).trim_start_matches("./").replace('/', "."));
        stems.into_iter().find(|module| is_module(app, module)).map(|module| Start { module, attribute: None })
    })
}

fn is_module(app: &Path, module: &str) -> bool {
    let is_name = |part: &str| {
        part.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if !module.split('.').all(is_name) {
        return false;
    }
    let path = app.join(module.replace('.', "/"));
    path.with_extension("py").is_file() || path.join("__init__.py").is_file()
}

fn only_module(app: &Path) -> Option<String> {
    let mut modules = fs::read_dir(app)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"));
    match (modules.next(), modules.next()) {
        (Some(only), None) => only.file_stem()?.to_str().map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(files: &[(&str, &str)]) -> Result<Start, StagingError> {
        let app = tempfile::tempdir().unwrap();
        for (file, text) in files {
            fs::create_dir_all(app.path().join(file).parent().unwrap()).unwrap();
            fs::write(app.path().join(file), text).unwrap();
        }
        find(app.path())
    }

    fn of(module: &str, attribute: Option<&str>) -> Start {
        Start { module: module.into(), attribute: attribute.map(Into::into) }
    }

    #[test]
    fn the_procfile_decides() {
        let gunicorn = ("Procfile", "web: gunicorn --bind 0.0.0.0:8080 shop.wsgi:create() --workers 2");
        assert_eq!(start(&[gunicorn, ("shop/wsgi.py", ""), ("app.py", "")]), Ok(of("shop.wsgi", Some("create()"))));
        assert_eq!(start(&[("Procfile", "web: python ./hello.py"), ("hello.py", "")]), Ok(of("hello", None)));
        assert_eq!(start(&[("Procfile", "web: waitress-serve --listen=*:8080 app:app"), ("app.py", "")]), Ok(of("app", Some("app"))));
        assert!(start(&[("Procfile", "web: ./run.sh"), ("app.py", "")]).unwrap_err().message.contains("web: gunicorn app:app"));
    }

    #[test]
    fn usual_names_and_the_only_module_are_found() {
        assert_eq!(start(&[("wsgi.py", ""), ("other.py", "")]), Ok(of("wsgi", None)));
        assert_eq!(start(&[("shop.py", "")]), Ok(of("shop", None)));
        assert!(start(&[("one.py", ""), ("two.py", "")]).unwrap_err().message.contains("name it in a Procfile"));
    }
}
