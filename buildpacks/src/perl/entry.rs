//! Which file is the app.

use crate::{failure, procfile};
use std::{
    fs,
    path::{Component, Path},
};
use virga_contract::staging::StagingError;

/// What an app without a Procfile calls its file, in order.
const USUAL: [&str; 7] = ["app.psgi", "index.cgi", "index.pl", "app.pl", "app.cgi", "main.pl", "server.pl"];
/// Ends of names of files that can be one.
pub(super) const ENDS: [&str; 3] = ["psgi", "pl", "cgi"];

/// The file that answers requests, relative to the app; none for an app that only has workers and tasks.
///
/// # Errors
/// Where the Procfile names a file that is not there, or nothing tells.
pub(super) fn find(app: &Path) -> Result<Option<String>, StagingError> {
    let types = procfile::read(app);
    let usual = || USUAL.iter().find(|name| app.join(name).is_file()).map(|name| (*name).to_owned());
    if let Some(command) = types.get("web") {
        let words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']).trim_start_matches("./"));
        return match words.into_iter().find(|word| is_source(Path::new(word))) {
            Some(name) if is_inside(name) && app.join(name).is_file() => Ok(Some(name.to_owned())),
            Some(name) => Err(failure::compile(format!("the Procfile's web process names {name}, which is not in the app"))),
            // Servers look for app.psgi themselves.
            None => usual().map(Some).ok_or_else(|| {
                failure::compile(format!(
                    "the Procfile's web command '{command}' names no file, and there is no app.psgi; write for example: web: plackup app.psgi"
                ))
            }),
        };
    }
    if !types.is_empty() {
        return Ok(None);
    }
    usual().or_else(|| only(app)).map(Some).ok_or_else(|| {
        failure::compile(format!(
            "no file with the app was found (tried {}); name it in a Procfile: web: plackup FILE.psgi",
            USUAL.join(", ")
        ))
    })
}

fn is_source(path: &Path) -> bool {
    path.extension().and_then(|end| end.to_str()).is_some_and(|end| ENDS.contains(&end))
}

fn is_inside(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

fn only(app: &Path) -> Option<String> {
    let mut files = fs::read_dir(app).ok()?.flatten().map(|entry| entry.path()).filter(|path| path.is_file() && is_source(path));
    match (files.next(), files.next()) {
        (Some(only), None) => only.file_name()?.to_str().map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;

    fn found(files: &[(&str, &str)]) -> Result<Option<String>, StagingError> {
        find(app(files).path())
    }

    #[test]
    fn the_procfile_then_usual_names_then_the_only_file() {
        let is = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(found(&[("Procfile", "web: plackup -p $PORT ./bin/shop.psgi"), ("bin/shop.psgi", "")]), is("bin/shop.psgi"));
        assert_eq!(found(&[("Procfile", "web: starman --workers 2"), ("app.psgi", ""), ("a.pl", "")]), is("app.psgi"));
        assert_eq!(found(&[("index.cgi", ""), ("main.pl", "")]), is("index.cgi"));
        assert_eq!(found(&[("shop.pl", "")]), is("shop.pl"));
        assert_eq!(found(&[("Procfile", "worker: perl work.pl"), ("work.pl", "")]), Ok(None));
        for bad in [&[("Procfile", "web: perl ../x.pl"), ("x.pl", "")][..], &[("a.pl", ""), ("b.pl", "")], &[("cpanfile", "")]] {
            assert!(found(bad).unwrap_err().message.contains(".p"), "{bad:?}");
        }
    }
}
