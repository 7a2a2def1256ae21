//! Which buildpacks an app is built with, where some are of users.

use super::BUILDER;
use crate::{
    detect::{self, Chosen},
    failure,
};
use std::path::Path;
use url::Url;
use virga_contract::staging::{OfferedBuildpack, StagingError, StagingErrorKind};
use virga_model::Sha256Digest;

/// A buildpack of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) place: Place,
}

/// Where its zip is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the blobstore.
    Uploaded(Sha256Digest),
    /// Somewhere else.
    Address(Url),
}

/// What is to be done with an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// One of ours builds it.
    Ours(Chosen),
    /// These are asked first, in this order; then, if none wants it, one of ours or nobody.
    Ask(Vec<Source>, Box<Result<Chosen, StagingError>>),
    /// These build it; what they leave is built by the one of ours that was named last, or by the one that knows it.
    Users(Vec<Source>, Option<Chosen>),
}

/// Chooses among what is offered, or takes what was asked for.
///
/// # Errors
/// `NoBuildpacksFound` for a name that is not offered, `NoAppDetectedError` when none wants the app.
pub(crate) fn choose(app: &Path, asked: &[String], offered: &[OfferedBuildpack]) -> Result<Choice, StagingError> {
    if asked.is_empty() {
        return by_detection(app, offered);
    }
    let sources: Vec<Option<Source>> = asked.iter().map(|name| source(name, offered)).collect();
    if sources.iter().all(Option::is_none) {
        return detect::choose(app, asked, offered).map(Choice::Ours);
    }
    let ours = |name: &String| detect::choose(app, std::slice::from_ref(name), offered);
    let mut users = Vec::new();
    let mut last = None;
    for (place, (name, source)) in asked.iter().zip(sources).enumerate() {
        match source {
            Some(source) => users.push(source),
            None if place + 1 == asked.len() => last = Some(ours(name)?),
            None => {
                ours(name)?;
                return Err(failure::of(
                    StagingErrorKind::NoBuildpacksFound,
                    format!(
                        "the buildpack '{name}' is one of the platform's own and has nothing to supply to others; name it last, or leave it out"
                    ),
                ));
            }
        }
    }
    Ok(Choice::Users(users, last))
}

fn by_detection(app: &Path, offered: &[OfferedBuildpack]) -> Result<Choice, StagingError> {
    let ours = detect::choose(app, &[], offered);
    let reached = match &ours {
        Ok(chosen) => offered.iter().position(|one| one.name == chosen.offered.name).unwrap_or(offered.len()),
        Err(_) => offered.len(),
    };
    let mut before = Vec::new();
    for one in offered.iter().take(reached) {
        let Some(source) = uploaded(one) else { continue };
        match one.detect.as_slice() {
            [] => before.push(source),
            files if files.iter().any(|file| app.join(file).is_file()) => {
                if before.is_empty() {
                    return Ok(Choice::Users(vec![source], None));
                }
                before.push(source);
            }
            _ => {}
        }
    }
    if before.is_empty() { ours.map(Choice::Ours) } else { Ok(Choice::Ask(before, Box::new(ours))) }
}

fn source(name: &str, offered: &[OfferedBuildpack]) -> Option<Source> {
    if let Some(url) = address(name) {
        let mut shown = url.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        return Some(Source { name: shown.to_string(), version: None, place: Place::Address(url) });
    }
    uploaded(offered.iter().find(|one| one.name == name)?)
}

/// A buildpack's name that is an address.
fn address(name: &str) -> Option<Url> {
    Url::parse(name).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn uploaded(offered: &OfferedBuildpack) -> Option<Source> {
    let digest = offered.bits.filter(|_| offered.builder == BUILDER)?;
    Some(Source { name: offered.name.clone(), version: offered.version.clone(), place: Place::Uploaded(digest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Vec<OfferedBuildpack> {
        let offer = |name: &str, builder: &str, bits: Option<Sha256Digest>| OfferedBuildpack {
            name: name.into(),
            builder: builder.into(),
            version: None,
            detect: Vec::new(),
            bits,
        };
        vec![
            offer("nodejs", "nodejs", None),
            offer("corp", BUILDER, Some(Sha256Digest::of(b"zip"))),
            offer("staticfile", "staticfile", None),
        ]
    }

    fn chosen(files: &[&str], asked: &[&str]) -> Result<Choice, StagingError> {
        let app = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(app.path().join(file), "").unwrap();
        }
        choose(app.path(), &asked.iter().map(ToString::to_string).collect::<Vec<_>>(), &offered())
    }

    #[test]
    fn the_order_decides_who_is_asked() {
        assert!(matches!(chosen(&["package.json"], &[]).unwrap(), Choice::Ours(one) if one.offered.name == "nodejs"));
        let Choice::Ask(sources, ours) = chosen(&["index.html"], &[]).unwrap() else { panic!("corp is before staticfile") };
        assert_eq!((sources[0].name.as_str(), ours.unwrap().offered.name.as_str()), ("corp", "staticfile"));
        let Choice::Ask(_, nobody) = chosen(&["README"], &[]).unwrap() else { panic!("corp may want it") };
        assert_eq!(nobody.unwrap_err().kind, StagingErrorKind::NoAppDetected);
    }

    #[test]
    fn several_are_supplied_and_the_last_may_be_ours() {
        let zip = "https://example.com/a.zip?token=x";
        let Choice::Users(sources, Some(last)) = chosen(&[], &[zip, "corp", "nodejs"]).unwrap() else { panic!("three") };
        assert_eq!(sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["https://example.com/a.zip", "corp"]);
        assert_eq!(last.offered.name, "nodejs");
        assert!(matches!(chosen(&[], &["corp"]).unwrap(), Choice::Users(_, None)));
        assert!(chosen(&[], &["nodejs", "corp"]).unwrap_err().message.contains("name it last"));
        assert_eq!(chosen(&[], &["cobol", "corp"]).unwrap_err().kind, StagingErrorKind::NoBuildpacksFound);
    }
}
