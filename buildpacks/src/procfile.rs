//! `Procfile`: process types and their commands, one a line.

use crate::failure;
use std::{collections::BTreeMap, fs, io, path::Path};
use virga_contract::staging::StagingError;

const FILE: &str = "Procfile";

/// Whether the app has no Procfile, or one that can be read.
///
/// # Errors
/// Where it cannot: the app would be started in another way than it says.
pub(crate) fn check(app: &Path) -> Result<(), StagingError> {
    match fs::read_to_string(app.join(FILE)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failure::compile(format!(
            "the Procfile cannot be read: {error}; it is a text file with a line 'TYPE: COMMAND' for each process type"
        ))),
    }
}

/// The process types of an app; empty without a Procfile. One that cannot be read was refused by [`check`].
pub(crate) fn read(app: &Path) -> BTreeMap<String, String> {
    fs::read_to_string(app.join(FILE)).map(|text| parse(&text)).unwrap_or_default()
}

fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let (kind, command) = line.split_once(':')?;
            let (kind, command) = (kind.trim(), command.trim());
            let is_name = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            (is_name && !command.is_empty()).then(|| (kind.to_owned(), command.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;

    #[test]
    fn a_procfile_that_cannot_be_read_is_refused() {
        let app = app(&[("Procfile", "web: gunicorn app:app\n")]);
        assert_eq!(check(app.path()), Ok(()));
        fs::write(app.path().join(FILE), b"web: caf\xe9\n").unwrap();
        let refused = check(app.path()).unwrap_err().message;
        assert!(refused.contains("the Procfile cannot be read") && refused.contains("UTF-8"), "{refused}");
        fs::remove_file(app.path().join(FILE)).unwrap();
        assert_eq!(check(app.path()), Ok(()));
        fs::create_dir(app.path().join(FILE)).unwrap();
        assert!(check(app.path()).is_err(), "a folder");
    }

    #[test]
    fn commands_may_hold_colons_and_comments_are_no_process() {
        let types = parse("# web: no\nweb: gunicorn app:app --bind 0.0.0.0:8080\n\nworker:node work.js\nbroken\n");
        assert_eq!(types.get("web").map(String::as_str), Some("gunicorn app:app --bind 0.0.0.0:8080"));
        assert_eq!(types.get("worker").map(String::as_str), Some("node work.js"));
        assert_eq!(types.len(), 2);
    }
}
