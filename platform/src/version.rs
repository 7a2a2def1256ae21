//! What this build calls itself. Workers of another build are replaced by a newer control process.

use std::os::unix::fs::MetadataExt as _;

/// Version of the release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Tells this binary from every other one, also of the same version: which file it is, and when it was written.
pub fn build_id() -> std::io::Result<String> {
    // Through /proc even when the file was replaced since: it is the running one that counts.
    let file = std::fs::metadata("/proc/self/exe")?;
    Ok(format!("{VERSION} {}:{}:{}.{}", file.dev(), file.ino(), file.mtime(), file.mtime_nsec()))
}
