//! What of the app is started for its web process.

use crate::{failure, procfile};
use std::{fmt, fs, path::Path};
use virga_contract::staging::StagingError;

/// What is started at staging.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// A module, and the callable in it where the app names one.
    Module { module: String, attribute: Option<String> },
    /// A script that starts its server itself, with its arguments.
    Script { path: String, arguments: Vec<String> },
    /// The app has workers and tasks only.
    Nothing,
}

const USUAL: [&str; 7] = ["app", "main", "wsgi", "asgi", "application", "server", "run"];

impl Start {
    /// The order to the interpreter, as JSON; `native` names modules that were left out.
    pub(super) fn order(&self, native: &[String]) -> String {
        let order = match self {
            Self::Module { module, attribute } => serde_json::json!({ "module": module, "attribute": attribute, "native": native }),
            Self::Script { path, arguments } => serde_json::json!({ "script": path, "arguments": arguments, "native": native }),
            Self::Nothing => serde_json::json!({ "native": native }),
        };
        order.to_string()
    }

    /// Whether there is something that answers requests.
    pub(super) fn is_web(&self) -> bool {
        *self != Self::Nothing
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module { module, attribute: Some(attribute) } => write!(f, "{module}:{attribute}"),
            Self::Module { module, attribute: None } => write!(f, "module {module}"),
            Self::Script { path, .. } => write!(f, "python {path}"),
            Self::Nothing => f.write_str("workers and tasks"),
        }
    }
}

/// From the Procfile's `web`, else a usual name, else Django's, else the only module.
pub(super) fn find(app: &Path) -> Result<Start, StagingError> {
    let types = procfile::read(app);
    if let Some(command) = types.get("web") {
        return from_command(app, command).ok_or_else(|| {
            failure::compile(format!(
                "the Procfile's web command '{command}' names no module of the app; write for example: web: gunicorn app:app"
            ))
        });
    }
    if !types.is_empty() {
        return Ok(Start::Nothing);
    }
    let module = usual(app).or_else(|| of_django(app)).or_else(|| only_module(app));
    module.map(|module| Start::Module { module, attribute: None }).ok_or_else(|| {
        failure::compile(format!(
            "no module with the app was found (tried {}); name it in a Procfile: web: gunicorn module:callable",
            USUAL.map(|name| format!("{name}.py")).join(", ")
        ))
    })
}

fn from_command(app: &Path, command: &str) -> Option<Start> {
    let words: Vec<&str> = command.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
    // `VARIABLE=value` and `exec` in front are a shell's.
    let words: Vec<&str> = words.into_iter().skip_while(|word| *word == "exec" || is_assignment(word)).collect();
    if let Some(path) = script(app, &words) {
        let arguments = words.iter().skip_while(|word| !word.ends_with(".py")).skip(1).map(|word| (*word).to_owned()).collect();
        return Some(Start::Script { path, arguments });
    }
    let module = |name: &str, attribute: Option<&str>| Start::Module { module: name.to_owned(), attribute: attribute.map(str::to_owned) };
    if words.contains(&"flask") {
        let named = words.iter().position(|word| matches!(*word, "--app" | "-A")).and_then(|at| words.get(at + 1)).copied();
        let named = named.or_else(|| words.iter().find_map(|word| word.strip_prefix("--app=")));
        let (name, attribute) = named.map_or((None, None), |named| match named.split_once(':') {
            Some((name, attribute)) => (Some(name), Some(attribute)),
            None => (Some(named), None),
        });
        return match name.map(|name| name.strip_suffix(".py").unwrap_or(name)) {
            Some(name) => is_module(app, name).then(|| module(name, attribute)),
            None => ["app", "wsgi"].into_iter().find(|name| is_module(app, name)).map(|name| module(name, None)),
        };
    }
    let named = words.iter().find_map(|word| {
        let (name, attribute) = word.split_once(':')?;
        let is_callable =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
        (is_module(app, name) && is_callable(attribute.trim_end_matches("()"))).then_some((name, attribute))
    });
    if let Some((name, attribute)) = named {
        let is_factory = words.contains(&"--factory") && !attribute.ends_with("()");
        return Some(module(name, Some(&if is_factory { format!("{attribute}()") } else { attribute.to_owned() })));
    }
    let stems = words.iter().map(|word| word.strip_suffix(".py").unwrap_or(word).trim_start_matches("./").replace('/', "."));
    stems.into_iter().find(|name| is_module(app, name)).map(|name| module(&name, None))
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}

/// `python file.py …`.
fn script(app: &Path, words: &[&str]) -> Option<String> {
    let (program, rest) = words.split_first()?;
    let is_python = program.rsplit('/').next().is_some_and(|name| name == "python" || name.starts_with("python3"));
    let path = rest.iter().find(|word| !word.starts_with('-'))?.trim_start_matches("./");
    let is_inside = Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (is_python && path.ends_with(".py") && is_inside && app.join(path).is_file()).then(|| path.to_owned())
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

fn usual(app: &Path) -> Option<String> {
    USUAL.iter().find(|name| is_module(app, name)).map(|name| (*name).to_owned())
}

/// Django's `startproject` puts wsgi.py into a package beside manage.py.
fn of_django(app: &Path) -> Option<String> {
    if !app.join("manage.py").is_file() {
        return None;
    }
    let mut packages: Vec<String> = fs::read_dir(app)
        .ok()?
        .flatten()
        .filter(|entry| entry.path().join("wsgi.py").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_module(app, name))
        .collect();
    packages.sort();
    packages.first().map(|package| format!("{package}.wsgi"))
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

    fn web(command: &str, modules: &[&str]) -> Result<Start, StagingError> {
        let procfile = format!("web: {command}");
        let mut files = vec![("Procfile", procfile.as_str())];
        files.extend(modules.iter().map(|module| (*module, "")));
        start(&files)
    }

    fn of(module: &str, attribute: Option<&str>) -> Start {
        Start::Module { module: module.into(), attribute: attribute.map(Into::into) }
    }

    #[test]
    fn the_procfile_decides() {
        assert_eq!(
            web("gunicorn --bind 0.0.0.0:8080 shop.wsgi:create() --workers 2", &["shop/wsgi.py", "app.py"]),
            Ok(of("shop.wsgi", Some("create()")))
        );
        assert_eq!(web("waitress-serve --listen=*:8080 app:app", &["app.py"]), Ok(of("app", Some("app"))));
        assert_eq!(web("gunicorn mysite.wsgi", &["mysite/wsgi.py"]), Ok(of("mysite.wsgi", None)));
        assert_eq!(web("uvicorn --factory shop:make --port $PORT", &["shop.py"]), Ok(of("shop", Some("make()"))));
        assert_eq!(web("MODE=fast exec flask --app shop:create run -p $PORT", &["shop.py"]), Ok(of("shop", Some("create"))));
        assert_eq!(web("python -m flask run", &["wsgi.py"]), Ok(of("wsgi", None)));
        assert!(web("./run.sh", &["app.py"]).unwrap_err().message.contains("web: gunicorn app:app"));
    }

    #[test]
    fn a_script_is_run_as_one() {
        let script = |path: &str, arguments: &[&str]| Start::Script {
            path: path.into(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        };
        assert_eq!(web("python3 -u ./hello.py --debug x", &["hello.py"]), Ok(script("hello.py", &["--debug", "x"])));
        assert!(web("python ../evil.py", &["app.py"]).is_err());
    }

    #[test]
    fn an_app_may_have_no_web_process() {
        assert_eq!(start(&[("Procfile", "worker: python work.py"), ("app.py", "")]), Ok(Start::Nothing));
    }

    #[test]
    fn usual_names_and_the_only_module_are_found() {
        assert_eq!(start(&[("wsgi.py", ""), ("other.py", "")]), Ok(of("wsgi", None)));
        assert_eq!(start(&[("shop.py", "")]), Ok(of("shop", None)));
        assert_eq!(start(&[("manage.py", ""), ("site/wsgi.py", ""), ("site/__init__.py", "")]), Ok(of("site.wsgi", None)));
        assert!(start(&[("one.py", ""), ("two.py", "")]).unwrap_err().message.contains("name it in a Procfile"));
    }
}
