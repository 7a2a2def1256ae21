//! What an uploaded buildpack is: a zip with Cloud Foundry's programs in `bin`, which run in the sandbox of staging; or one with
//! [`FILE`] at its root, which names the builder of this program that does the work.

use serde::Deserialize;
use std::io::{self, Read, Seek};
use zip::ZipArchive;

/// Name of the definition.
pub(super) const FILE: &str = "virga-buildpack.yml";
/// Most bytes of it.
const MAX_BYTES: u64 = 64 << 10;
/// Most entries of a zip.
const MAX_ENTRIES: usize = 100_000;
/// Most files it may name.
const MAX_DETECT: usize = 100;
/// Programs of Cloud Foundry's buildpacks, by which they build.
const PROGRAMS: &[&str] = &["bin/supply", "bin/finalize", "bin/compile"];
/// The program of a Cloud Native Buildpack.
const NATIVE: &str = "bin/build";

/// What was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Uploaded {
    /// A definition alone.
    Definition(Definition),
    /// Programs, with their version.
    Programs(Option<String>),
}

/// The definition.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    /// Which buildpack of this program builds the app.
    pub builder: String,
    /// What droplets show as the version; the builder's own without.
    #[serde(default)]
    pub version: Option<String>,
    /// The app is recognised by one of these files at its root; without, by what the builder looks for.
    #[serde(default)]
    pub detect: Option<Vec<String>>,
}

/// Looks at a zip, for a platform with these builders.
///
/// # Errors
/// Which rule the upload breaks.
pub(super) fn read<R: Read + Seek>(zip: R, builders: &[&str]) -> Result<Uploaded, String> {
    let mut archive = ZipArchive::new(zip).map_err(|error| format!("it is not a sound zip file: {error}"))?;
    if archive.len() > MAX_ENTRIES {
        return Err(format!("it has {} entries; the limit is {MAX_ENTRIES}", archive.len()));
    }
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.map(std::borrow::Cow::into_owned))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("it is not a sound zip file: {error}"))?;
    let root = root(&names);
    let has = |name: &str| names.iter().any(|file| file.strip_prefix(root).is_some_and(|inside| inside.trim_start_matches("./") == name));
    let has_programs = PROGRAMS.iter().any(|program| has(program));
    if has_programs && has(FILE) {
        return Err(format!("it has both programs in bin and a {FILE}; leave one of them out"));
    }
    if !has_programs && has(NATIVE) {
        return Err(format!(
            "its {NATIVE} makes it a Cloud Native Buildpack, which is not run here; one of {} is needed",
            PROGRAMS.join(", ")
        ));
    }
    if has_programs {
        let version = format!("{root}VERSION");
        let version = archive.by_name(&version).ok().and_then(|file| io::read_to_string(file.take(256)).ok());
        return Ok(Uploaded::Programs(version.map(|text| text.trim().to_owned()).filter(|text| is_plain(text))));
    }
    let file = archive.by_name(FILE).map_err(|_| format!("it has neither programs ({}) nor a {FILE} at its root", PROGRAMS.join(", ")))?;
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| format!("{FILE} cannot be read: {error}"))?;
    if read as u64 > MAX_BYTES {
        return Err(format!("{FILE} exceeds the limit of {MAX_BYTES} bytes"));
    }
    let definition: Definition = serde_yaml_ng::from_str(&text).map_err(|error| format!("{FILE}: {error}"))?;
    check(&definition, builders)?;
    Ok(Uploaded::Definition(definition))
}

/// The folder that holds everything, as archives of repositories have it; empty where there is none such.
fn root(names: &[String]) -> &str {
    let first = names.first().and_then(|name| name.find('/').and_then(|end| name.get(..=end))).unwrap_or_default();
    let is_alone = !matches!(first, "" | "bin/" | "./") && names.iter().all(|name| name.starts_with(first));
    if is_alone { first } else { "" }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control)
}

fn check(definition: &Definition, builders: &[&str]) -> Result<(), String> {
    if !builders.contains(&definition.builder.as_str()) {
        return Err(format!("{FILE}: there is no builder '{}'; there are {}", definition.builder, builders.join(", ")));
    }
    if definition.version.as_ref().is_some_and(|version| !is_plain(version)) {
        return Err(format!("{FILE}: version must be 1 to 255 printable bytes"));
    }
    let Some(detect) = &definition.detect else { return Ok(()) };
    if detect.is_empty() || detect.len() > MAX_DETECT {
        return Err(format!("{FILE}: detect must name 1 to {MAX_DETECT} files"));
    }
    let bad = detect.iter().find(|name| !is_plain(name) || name.contains(['/', '\\']) || matches!(name.as_str(), "." | ".."));
    match bad {
        None => Ok(()),
        Some(name) => Err(format!("{FILE}: detect: '{}' is not the name of a file at the root of an app", name.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write as _};
    use zip::{ZipWriter, write::SimpleFileOptions};

    fn zipped(files: &[(&str, &str)]) -> Cursor<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap()
    }

    fn refusal(files: &[(&str, &str)]) -> String {
        read(zipped(files), &["staticfile", "wasm"]).unwrap_err()
    }

    #[test]
    fn a_definition_names_a_builder() {
        let text = "builder: staticfile\nversion: 1.2.0\ndetect: [Staticfile.corp]\n";
        let read = read(zipped(&[(FILE, text), ("README.md", "")]), &["staticfile", "wasm"]).unwrap();
        let detect = Some(vec!["Staticfile.corp".to_owned()]);
        let definition = Definition { builder: "staticfile".into(), version: Some("1.2.0".into()), detect };
        assert_eq!(read, Uploaded::Definition(definition));
    }

    #[test]
    fn programs_are_found_at_the_root_or_in_the_one_folder_there() {
        let programs = |files: &[(&str, &str)]| read(zipped(files), &["wasm"]);
        assert_eq!(programs(&[("bin/compile", "#!/bin/sh"), ("bin/detect", "")]), Ok(Uploaded::Programs(None)));
        let archived = [("corp-main/README.md", ""), ("corp-main/bin/supply", ""), ("corp-main/VERSION", "1.2.3\n")];
        assert_eq!(programs(&archived), Ok(Uploaded::Programs(Some("1.2.3".into()))));
        assert!(programs(&[("a/bin/supply", ""), ("b/README.md", "")]).is_err());
    }

    #[test]
    fn what_is_no_definition_is_refused_with_its_rule() {
        assert!(
            refusal(&[("bin/compile", "#!/bin/sh"), (FILE, "builder: wasm")]).contains("both programs in bin and a virga-buildpack.yml")
        );
        assert!(refusal(&[("README.md", "")]).contains("neither programs (bin/supply"));
        assert!(refusal(&[("bin/build", ""), ("bin/detect", "")]).contains("Cloud Native Buildpack"));
        assert!(refusal(&[(FILE, "builder: cobol")]).contains("there is no builder 'cobol'; there are staticfile, wasm"));
        assert!(refusal(&[(FILE, "builder: wasm\nscript: rm")]).contains("unknown field `script`"));
        assert!(refusal(&[(FILE, "builder: wasm\ndetect: [../secret]")]).contains("not the name of a file"));
        assert!(refusal(&[(FILE, "builder: wasm\ndetect: []")]).contains("1 to 100 files"));
        assert!(refusal(&[(FILE, &format!("builder: wasm\n#{}", "x".repeat(70_000)))]).contains("limit of 65536 bytes"));
        assert!(read(Cursor::new(b"no zip".to_vec()), &["wasm"]).unwrap_err().contains("not a sound zip"));
    }
}
