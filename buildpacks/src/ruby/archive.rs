//! Files of gems: an archive with the gem's files compressed in it.

use std::{
    fs,
    io::{self, Read},
    path::{Component, Path},
};

/// Bytes of one gem when unpacked.
const UNPACKED_BYTES: u64 = 256 << 20;
/// The gem's own files in its archive.
const FILES: &str = "data.tar.gz";

/// Unpacks a gem's files into a folder. Links and whatever would lie elsewhere are left out.
///
/// # Errors
/// The text of what is wrong with the archive.
pub(super) fn unpack(gem: &[u8], into: &Path) -> Result<(), String> {
    let told = |error: io::Error| error.to_string();
    let mut archive = tar::Archive::new(gem);
    for entry in archive.entries().map_err(told)? {
        let entry = entry.map_err(told)?;
        if entry.path().map_err(told)?.as_os_str() == FILES {
            return unpack_files(flate2::read::GzDecoder::new(entry).take(UNPACKED_BYTES), into).map_err(told);
        }
    }
    Err(format!("it has no {FILES}"))
}

fn unpack_files(files: impl Read, into: &Path) -> io::Result<()> {
    let mut archive = tar::Archive::new(files);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let is_inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_inside || !entry.header().entry_type().is_file() {
            continue;
        }
        let place = into.join(&path);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        io::copy(&mut entry, &mut fs::File::create(place)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_gem_stays_in_its_folder() {
        let files = tar_of(&[("lib/a.rb", b"A = 1"), ("../outside.rb", b"B = 1")]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&files).unwrap();
        let gem = tar_of(&[("metadata.gz", b""), ("data.tar.gz", &packed.finish().unwrap())]);
        let folder = tempfile::tempdir().unwrap();
        unpack(&gem, &folder.path().join("gem")).unwrap();
        assert_eq!(fs::read(folder.path().join("gem/lib/a.rb")).unwrap(), b"A = 1");
        assert!(!folder.path().join("outside.rb").exists());
        assert!(unpack(&tar_of(&[("other", b"")]), folder.path()).unwrap_err().contains("data.tar.gz"));
        assert!(unpack(b"no archive at all, whatever it is called", folder.path()).is_err());
    }
}
