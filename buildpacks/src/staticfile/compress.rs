//! Compressed forms of a site's texts, made once at staging instead of at every request.

use flate2::{Compression as Level, GzBuilder};
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};
use virga_model::droplet::{Compression, MADE_COMPRESSED};

/// Smaller files fit into a packet as they are.
const SMALLEST: u64 = 1024;
/// Larger ones are left: their compressing would hold up the push.
const LARGEST: u64 = 64 << 20;
/// Extensions of what becomes smaller.
const TEXTS: [&str; 17] =
    ["atom", "css", "csv", "geojson", "htm", "html", "js", "json", "map", "md", "mjs", "rss", "svg", "txt", "wasm", "webmanifest", "xml"];

/// Makes gzip forms of what has none; gives the forms that some file has.
pub(super) fn all(files: &Path) -> io::Result<Vec<Compression>> {
    let (mut brotli, mut gzip) = (false, false);
    let entries: Vec<_> = walkdir::WalkDir::new(files).min_depth(1).sort_by_file_name().into_iter().collect::<Result<_, _>>()?;
    for entry in entries.iter().filter(|entry| entry.file_type().is_file()) {
        let path = entry.path();
        let extension = path.extension().and_then(|found| found.to_str()).unwrap_or_default();
        match extension {
            "br" => brotli |= path.with_extension("").is_file(),
            "gz" => gzip |= path.with_extension("").is_file(),
            _ => {}
        }
        let size = entry.metadata()?.len();
        let beside = path.with_extension(format!("{extension}.gz"));
        if TEXTS.contains(&extension) && (SMALLEST..=LARGEST).contains(&size) && !beside.is_file() {
            gzip |= make(files, path, size)?;
        }
    }
    Ok([(brotli, Compression::Brotli), (gzip, Compression::Gzip)].into_iter().filter_map(|(there, form)| there.then_some(form)).collect())
}

/// Whether it was worth it: a form that saves less than a tenth is not kept.
fn make(files: &Path, path: &Path, size: u64) -> io::Result<bool> {
    // No time and no name of the machine in it: the same file, the same bytes.
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Level::new(7));
    encoder.write_all(&fs::read(path)?)?;
    let made = encoder.finish()?;
    if made.len() as u64 > size / 10 * 9 {
        return Ok(false);
    }
    let inside = path.strip_prefix(files).unwrap_or(path);
    let mut into = files.join(MADE_COMPRESSED).join(inside).into_os_string();
    into.push(".gz");
    if let Some(folder) = Path::new(&into).parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(into, made)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn texts_get_a_smaller_form_and_others_none() {
        let files = tempfile::tempdir().unwrap();
        let text = "the same words again and again\n".repeat(100);
        fs::create_dir(files.path().join("a")).unwrap();
        for name in ["a/page.html", "own.js", "own.js.gz", "image.png"] {
            fs::write(files.path().join(name), &text).unwrap();
        }
        fs::write(files.path().join("short.css"), "body{}").unwrap();
        assert_eq!(all(files.path()).unwrap(), [Compression::Gzip]);
        let made = fs::read(files.path().join(MADE_COMPRESSED).join("a/page.html.gz")).unwrap();
        let mut back = String::new();
        flate2::read::GzDecoder::new(made.as_slice()).read_to_string(&mut back).unwrap();
        assert_eq!(back, text);
        assert!(made.len() < text.len() / 5);
        let count = walkdir::WalkDir::new(files.path().join(MADE_COMPRESSED))
            .into_iter()
            .filter(|entry| entry.as_ref().unwrap().file_type().is_file())
            .count();
        assert_eq!(count, 1, "own.js has its own form, the others none");
    }
}
