//! Which file starts the app.

use crate::{failure, procfile};
use std::{collections::BTreeMap, path::Path};
use virga_contract::staging::StagingError;

/// What an app without a Procfile and config.ru calls its file, in order.
const USUAL: [&str; 5] = ["app.rb", "main.rb", "server.rb", "web.rb", "application.rb"];

/// The file with the Rack app, as the guest names it; none for an app that only has workers and tasks.
///
/// # Errors
/// Where the Procfile names a file that is not there, or nothing tells.
pub(super) fn find(app: &Path) -> Result<Option<String>, StagingError> {
    let types = procfile::read(app);
    if let Some(named) = types.get("web").and_then(|command| named(command)) {
        return if is_inside(&named) && app.join(&named).is_file() {
            Ok(Some(guest(&named)))
        } else {
            Err(failure::compile(format!("the Procfile's web process names {named}, which is not in the app")))
        };
    }
    let found = ["config.ru"].into_iter().chain(USUAL).find(|name| app.join(name).is_file());
    match found {
        Some(name) => Ok(Some(guest(name))),
        None if has_other_process(&types) => Ok(None),
        None => Err(failure::compile(format!(
            "nothing tells which file is the app: there is no config.ru and none of {}; add a config.ru (run App), or a Procfile such as 'web: ruby FILE'",
            USUAL.join(", ")
        ))),
    }
}

fn has_other_process(types: &BTreeMap<String, String>) -> bool {
    !types.is_empty() && !types.contains_key("web")
}

/// The Ruby or rackup file of a command, if it names one: servers take theirs from config.ru, and `-C` names a server's settings.
fn named(command: &str) -> Option<String> {
    let mut is_setting = false;
    for word in command.split_whitespace() {
        let is_file = Path::new(word).extension().is_some_and(|found| found == "ru" || found == "rb");
        if is_file && !is_setting {
            return Some(word.trim_start_matches("./").to_owned());
        }
        is_setting = matches!(word, "-C" | "--config" | "-c" | "-r" | "--require" | "-I");
    }
    None
}

fn is_inside(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn guest(name: &str) -> String {
    format!("/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn found(files: &[(&str, &str)]) -> Result<Option<String>, StagingError> {
        let app = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(app.path().join(name), text).unwrap();
        }
        find(app.path())
    }

    #[test]
    fn the_procfile_goes_before_config_ru_and_that_before_usual_names() {
        let web = |command: &str| format!("web: {command}\n");
        let file = |command: &str| found(&[("Procfile", &web(command)), ("my.rb", ""), ("config.ru", "")]).unwrap().unwrap();
        assert_eq!(file("bundle exec ruby ./my.rb -p $PORT"), "/my.rb");
        assert_eq!(file("bundle exec puma -C puma.rb"), "/config.ru");
        assert_eq!(file("rackup -p $PORT config.ru"), "/config.ru");
        assert_eq!(found(&[("main.rb", ""), ("app.rb", "")]).unwrap().unwrap(), "/app.rb");
        assert_eq!(found(&[("Procfile", "worker: ruby work.rb\n"), ("work.rb", "")]).unwrap(), None);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let error = found(&[("Procfile", "web: ruby ../../etc/x.rb\n")]).unwrap_err();
        assert!(error.message.contains("../../etc/x.rb, which is not in the app"), "{error}");
        assert!(found(&[("Gemfile", "")]).unwrap_err().message.contains("config.ru"));
    }
}
