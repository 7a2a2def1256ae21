//! `Gemfile.lock` and, as far as groups and names go, `Gemfile`: which gems an app needs.

use std::collections::{BTreeMap, BTreeSet};
use virga_model::Sha256Digest;

/// Groups whose gems a running app does without.
const NOT_DEPLOYED: [&str; 3] = ["development", "test", "ci"];

/// Where a locked gem comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A registry of gems.
    Registry,
    /// A folder, relative to the app.
    Path(String),
    /// A repository, by its address.
    Git(String),
}

/// One gem of a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) source: Source,
    pub(super) needs: Vec<String>,
    /// What its file must be, where the lock file says so.
    pub(super) checksum: Option<String>,
}

/// What a lock file holds.
#[derive(Debug, Default)]
pub(super) struct Lock {
    gems: BTreeMap<String, Locked>,
    asked: Vec<String>,
}

impl Lock {
    /// Reads a lock file; what it does not know it leaves out.
    pub(super) fn parse(text: &str) -> Self {
        let mut lock = Self::default();
        let mut section = "";
        let mut remote = String::new();
        let mut last = None;
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            let body = line.trim();
            match (section, indent) {
                (_, 0) => section = body,
                ("GEM" | "PATH" | "GIT", 2) => {
                    if let Some(found) = body.strip_prefix("remote:") {
                        found.trim().clone_into(&mut remote);
                    }
                }
                ("GEM" | "PATH" | "GIT", 4) => last = lock.add(section, &remote, body),
                ("GEM" | "PATH" | "GIT", 6) => {
                    if let Some(gem) = last.as_ref().and_then(|name| lock.gems.get_mut(name)) {
                        gem.needs.push(first_word(body));
                    }
                }
                ("DEPENDENCIES", 2) => lock.asked.push(first_word(body)),
                ("CHECKSUMS", 2) => lock.note_checksum(body),
                _ => {}
            }
        }
        lock
    }

    /// A gem that is there for several platforms counts as the one for all of them, if that is among them.
    fn add(&mut self, section: &str, remote: &str, body: &str) -> Option<String> {
        let (name, version) = name_and_version(body)?;
        let source = match section {
            "PATH" => Source::Path(remote.to_owned()),
            "GIT" => Source::Git(remote.to_owned()),
            _ => Source::Registry,
        };
        let is_for_all = !version.contains('-');
        if !self.gems.contains_key(&name) || is_for_all {
            let gem = Locked { name: name.clone(), version, source, needs: Vec::new(), checksum: None };
            self.gems.insert(name.clone(), gem);
        }
        Some(name)
    }

    fn note_checksum(&mut self, body: &str) {
        let Some((gem, checksum)) = body.split_once(" sha256=") else { return };
        let Some((name, version)) = name_and_version(gem) else { return };
        if let Some(locked) = self.gems.get_mut(&name).filter(|locked| locked.version == version) {
            locked.checksum = Some(checksum.trim().to_owned());
        }
    }

    /// The gems that the app needs when it runs, in order of name: what it asks for, less `without`, and what those need.
    pub(super) fn needed(&self, without: &BTreeSet<String>) -> Vec<&Locked> {
        let mut found: BTreeMap<&str, &Locked> = BTreeMap::new();
        let mut open: Vec<&str> = self.asked.iter().map(String::as_str).collect();
        while let Some(name) = open.pop() {
            let Some(gem) = self.gems.get(name) else { continue };
            if !without.contains(name) && found.insert(name, gem).is_none() {
                open.extend(gem.needs.iter().map(String::as_str));
            }
        }
        found.into_values().collect()
    }
}

impl Locked {
    /// Whether a gem's file is what the lock file says; it is, where that says nothing.
    pub(super) fn is_genuine(&self, file: &[u8]) -> bool {
        self.checksum.as_ref().is_none_or(|wanted| Sha256Digest::of(file).to_string() == *wanted)
    }
}

/// `name (version)` or `name (requirement)`, `name!`: the name alone.
fn first_word(body: &str) -> String {
    body.split([' ', '!']).next().unwrap_or_default().to_owned()
}

fn name_and_version(body: &str) -> Option<(String, String)> {
    let (name, rest) = body.split_once(" (")?;
    let version = rest.strip_suffix(')')?;
    (is_plain(name) && is_plain(version)).then(|| (name.to_owned(), version.to_owned()))
}

/// Names and versions become parts of paths: only what gems are called.
pub(super) fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with(['.', '-'])
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// A `Gemfile`'s gems.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gemfile {
    /// Those that a running app asks for.
    pub(super) deployed: BTreeSet<String>,
    /// Those of development and tests alone.
    pub(super) others: BTreeSet<String>,
}

impl Gemfile {
    /// Reads names and groups, line by line: a Gemfile is Ruby, which is not run here.
    pub(super) fn parse(text: &str) -> Self {
        let mut gems = Self::default();
        let mut blocks: Vec<bool> = Vec::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line == "end" {
                blocks.pop();
            } else if let Some(rest) = line.strip_prefix("gem ").or_else(|| line.strip_prefix("gem(")) {
                let Some(name) = quoted(rest).filter(|name| is_plain(name)) else { continue };
                let left_out = blocks.contains(&true) || (rest.contains("group") && only_not_deployed(rest));
                let list = if left_out { &mut gems.others } else { &mut gems.deployed };
                list.insert(name);
            } else if line.ends_with(" do") || line.contains(" do |") || line.starts_with("if ") || line.starts_with("unless ") {
                blocks.push(line.starts_with("group") && only_not_deployed(line));
            }
        }
        gems.others.retain(|name| !gems.deployed.contains(name));
        gems
    }
}

fn quoted(text: &str) -> Option<String> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    text.get(1..)?.split(quote).next().map(str::to_owned)
}

/// Whether all groups that a line names are of development and tests.
fn only_not_deployed(line: &str) -> bool {
    let after = line.find("group").and_then(|at| line.get(at..)).unwrap_or_default();
    let names: Vec<&str> = after
        .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
        .filter(|word| {
            !word.is_empty() && !matches!(*word, "group" | "groups" | "do" | "optional" | "true" | "require" | "false" | "i" | "w")
        })
        .collect();
    !names.is_empty() && names.iter().all(|name| NOT_DEPLOYED.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "PATH\n  remote: engines/mine\n  specs:\n    mine (0.1.0)\n      rack (>= 2)\n\nGEM\n  remote: https://example.org/\n  specs:\n    \
        nokogiri (1.18.0-x86_64-linux-gnu)\n    nokogiri (1.18.0)\n    puma (6.4.2)\n      nio4r (~> 2.0)\n    nio4r (2.7.0)\n    rack (3.1.8)\n    \
        rspec (3.13.0)\n    sinatra (4.1.1)\n      rack (>= 3.0.0, < 4)\n    ../../etc (1.0)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  mine!\n  nokogiri\n  \
        puma\n  rspec\n  sinatra (~> 4.1)\n\nCHECKSUMS\n  rack (3.1.8) sha256=abc\n\nBUNDLED WITH\n   2.6.2\n";

    #[test]
    fn what_is_needed_is_what_is_asked_for_and_what_that_needs() {
        let lock = Lock::parse(LOCK);
        let without = BTreeSet::from(["puma".to_owned(), "rspec".to_owned()]);
        let needed: Vec<_> = lock.needed(&without).into_iter().map(|gem| (gem.name.as_str(), gem.version.as_str())).collect();
        assert_eq!(needed, [("mine", "0.1.0"), ("nokogiri", "1.18.0"), ("rack", "3.1.8"), ("sinatra", "4.1.1")]);
        let all = lock.needed(&BTreeSet::new());
        assert!(all.iter().any(|gem| gem.name == "nio4r"), "{all:?}");
        let rack = all.iter().find(|gem| gem.name == "rack").unwrap();
        assert_eq!((rack.checksum.as_deref(), rack.is_genuine(b"")), (Some("abc"), false));
        let mine = all.iter().find(|gem| gem.name == "mine").unwrap();
        assert_eq!(mine.source, Source::Path("engines/mine".into()));
    }

    #[test]
    fn groups_of_development_are_no_part_of_the_running_app() {
        let gems = Gemfile::parse(
            "source 'https://example.org'\ngem 'sinatra', '~> 4' # web\ngem(\"puma\")\ngroup :development, :test do\n  gem 'rspec'\nend\ngem 'pry', \
             group: :development\ngroup :production do\n  gem 'pg'\nend\ngem \"rake\", groups: %i[test default]\ngem 'vcr', groups: %i[development test]\n",
        );
        assert_eq!(gems.deployed, ["pg", "puma", "rake", "sinatra"].map(str::to_owned).into());
        assert_eq!(gems.others, ["pry", "rspec", "vcr"].map(str::to_owned).into());
    }

    #[test]
    fn names_that_would_leave_their_folder_are_none() {
        assert!(
            Lock::parse("GEM\n  specs:\n    ../x (1)\n    a/b (1)\n    ok (../2)\nDEPENDENCIES\n  ../x\n")
                .needed(&BTreeSet::new())
                .is_empty()
        );
        assert!(is_plain("ruby2_keywords-x.y") && !is_plain("..") && !is_plain("a/b") && !is_plain(""));
    }
}
