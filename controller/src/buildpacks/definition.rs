//! What an uploaded buildpack says: a zip with [`FILE`] at its root, which names the builder of this program that does the work.
//! Programs in it would be Linux programs, run as the platform: they are refused, not ignored.

use serde::Deserialize;
use std::io::{Read, Seek};
use zip::ZipArchive;

/// Name of the definition.
pub(super) const FILE: &str = "virga-buildpack.yml";
/// Most bytes of it.
const MAX_BYTES: u64 = 64 << 10;
/// Most entries of the zip.
const MAX_ENTRIES: usize = 1_000;
/// Most files it may name.
const MAX_DETECT: usize = 100;
/// Programs of Cloud Foundry's buildpacks.
const PROGRAMS: &[&str] = &["bin/detect", "bin/supply", "bin/finalize", "bin/compile", "bin/release", "bin/build"];

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

/// Reads the definition out of a zip, for a platform with these builders.
///
/// # Errors
/// Which rule the upload breaks.
pub(super) fn read<R: Read + Seek>(zip: R, builders: &[&str]) -> Result<Definition, String> {
    let mut archive = ZipArchive::new(zip).map_err(|error| format!("it is not a sound zip file: {error}"))?;
    if archive.len() > MAX_ENTRIES {
        return Err(format!("it has {} entries; the limit is {MAX_ENTRIES}", archive.len()));
    }
    let there = |name: &&&str| archive.index_for_name(name).is_some();
    if let Some(program) = PROGRAMS.iter().find(there) {
        return Err(format!(
            "its {program} is a program for Linux, which this platform does not run; a buildpack here is a zip with {FILE}, \
             which names one of the builders {}",
            builders.join(", ")
        ));
    }
    let file = archive.by_name(FILE).map_err(|_| format!("it has no {FILE} at its root"))?;
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| format!("{FILE} cannot be read: {error}"))?;
    if read as u64 > MAX_BYTES {
        return Err(format!("{FILE} exceeds the limit of {MAX_BYTES} bytes"));
    }
    let definition: Definition = serde_yaml_ng::from_str(&text).map_err(|error| format!("{FILE}: {error}"))?;
    check(&definition, builders)?;
    Ok(definition)
}

fn check(definition: &Definition, builders: &[&str]) -> Result<(), String> {
    if !builders.contains(&definition.builder.as_str()) {
        return Err(format!("{FILE}: there is no builder '{}'; there are {}", definition.builder, builders.join(", ")));
    }
    let is_plain = |text: &str| !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control);
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
        assert_eq!(read, Definition { builder: "staticfile".into(), version: Some("1.2.0".into()), detect });
    }

    #[test]
    fn what_is_no_definition_is_refused_with_its_rule() {
        assert!(refusal(&[("bin/compile", "#!/bin/sh"), (FILE, "builder: wasm")]).contains("bin/compile is a program for Linux"));
        assert!(refusal(&[("README.md", "")]).contains("it has no virga-buildpack.yml"));
        assert!(refusal(&[(FILE, "builder: cobol")]).contains("there is no builder 'cobol'; there are staticfile, wasm"));
        assert!(refusal(&[(FILE, "builder: wasm\nscript: rm")]).contains("unknown field `script`"));
        assert!(refusal(&[(FILE, "builder: wasm\ndetect: [../secret]")]).contains("not the name of a file"));
        assert!(refusal(&[(FILE, "builder: wasm\ndetect: []")]).contains("1 to 100 files"));
        assert!(refusal(&[(FILE, &format!("builder: wasm\n#{}", "x".repeat(70_000)))]).contains("limit of 65536 bytes"));
        assert!(read(Cursor::new(b"no zip".to_vec()), &["wasm"]).unwrap_err().contains("not a sound zip"));
    }
}
