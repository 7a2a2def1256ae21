//! requirements.txt, as far as it names packages of an index. Whatever else pip understands (folders, editable installs,
//! repositories, `--no-binary`) would build packages, which runs code unconfined; it is refused by name.

use crate::failure;
use std::{fs, path::Path};
use virga_contract::staging::StagingError;

const DEEPEST: usize = 8;
/// Options that only say where packages are found, or which of them are taken.
const OPTIONS: [&str; 6] = ["--index-url", "-i", "--extra-index-url", "--pre", "--prefer-binary", "--require-hashes"];

/// The lines of a file of the app, those of files it includes among them.
pub(super) fn read(app: &Path, file: &str) -> Result<Vec<String>, StagingError> {
    let mut lines = Vec::new();
    include(app, file, 0, &mut lines)?;
    Ok(lines)
}

fn include(app: &Path, file: &str, depth: usize, lines: &mut Vec<String>) -> Result<(), StagingError> {
    let inside = Path::new(file).components().all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
    let text = (inside && depth < DEEPEST).then(|| fs::read_to_string(app.join(file)).ok()).flatten();
    let text = text
        .ok_or_else(|| failure::compile(format!("'{file}' is included in the requirements and is no file of the app that can be read")))?;
    // A backslash at the end continues a line (pip-compile writes hashes so).
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match ["-r ", "--requirement ", "-c ", "--constraint "].iter().find_map(|option| line.strip_prefix(option)) {
            Some(other) => include(app, other.trim(), depth + 1, lines)?,
            None => lines.push(checked(line, file)?),
        }
    }
    Ok(())
}

/// The line, if it names a package of an index, a wheel, or a harmless option.
pub(super) fn checked(line: &str, file: &str) -> Result<String, StagingError> {
    let line = line.trim();
    let is_fine = if line.starts_with('-') {
        let option = line.split([' ', '=']).next().unwrap_or_default();
        let value = line.get(option.len()..).unwrap_or_default().trim_start_matches(['=', ' ']);
        OPTIONS.contains(&option) && (value.is_empty() || value.starts_with("https://") || value.starts_with("http://"))
    } else {
        is_package(line)
    };
    if is_fine && !line.contains(['\n', '\r']) {
        return Ok(line.to_owned());
    }
    Err(failure::compile(format!(
        "{file}: '{line}' cannot be installed here: packages must come from an index, as wheels (name, version, extras, markers, hashes)"
    )))
}

/// `name[extras] ==1.0; marker --hash=…`, or `name @ https://…/x.whl`.
fn is_package(line: &str) -> bool {
    let is_name = line.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let (package, options) = line.split_once(" --").map_or((line, ""), |(package, options)| (package, options));
    let only_hashes =
        options.split(" --").all(|option| option.is_empty() || option.trim().starts_with("hash=") || option.trim().starts_with("hash "));
    let requirement = package.split(';').next().unwrap_or_default();
    match requirement.split_once('@') {
        Some((_, url)) => {
            let url = url.trim().split('#').next().unwrap_or_default();
            is_name && only_hashes && url.starts_with("https://") && url.ends_with(".whl")
        }
        None => {
            is_name
                && only_hashes
                && requirement.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.[], <>=!~*+()".contains(&byte))
                && !is_path(requirement)
        }
    }
}

/// pip takes a name that is a folder or an archive beside it for that.
fn is_path(requirement: &str) -> bool {
    [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2"].iter().any(|extension| requirement.trim().ends_with(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_an_index_are_taken() {
        for line in [
            "Flask==3.1.3",
            "requests[socks] >=2, <3",
            "gunicorn ; sys_platform == 'linux'",
            "mypkg @ https://files.example/mypkg-1.0-py3-none-any.whl",
            "flask==3.1.3 --hash=sha256:abc --hash=sha256:def",
            "--extra-index-url https://index.example/simple",
        ] {
            assert_eq!(checked(line, "requirements.txt").as_deref(), Ok(line));
        }
    }

    #[test]
    fn what_would_run_code_or_read_elsewhere_is_refused() {
        for line in [
            "-e .",
            "./evil",
            "/etc",
            "../x",
            "evil.tar.gz",
            "git+https://example/x.git",
            "x @ git+https://example/x",
            "x @ file:///etc/x.whl",
            "--no-binary=:all:",
            "--no-binary :all:",
            "--find-links /etc",
            "--index-url file:///etc",
            "x --global-option=evil",
            "x --config-settings=y",
        ] {
            let error = checked(line, "requirements.txt").unwrap_err();
            assert!(error.message.contains(line) && error.message.contains("must come from an index"), "{line}: {error}");
        }
    }

    #[test]
    fn included_files_must_be_the_apps() {
        let app = tempfile::tempdir().unwrap();
        fs::write(app.path().join("requirements.txt"), "# top\n-r base.txt\nflask==3 \\\n  --hash=sha256:a # why\n").unwrap();
        fs::write(app.path().join("base.txt"), "click\n").unwrap();
        assert_eq!(read(app.path(), "requirements.txt").unwrap(), ["click", "flask==3    --hash=sha256:a"]);
        for bad in ["-r /etc/passwd", "-r ../x", "-r requirements.txt"] {
            fs::write(app.path().join("requirements.txt"), bad).unwrap();
            assert!(read(app.path(), "requirements.txt").unwrap_err().message.contains("is no file of the app"), "{bad}");
        }
    }
}
