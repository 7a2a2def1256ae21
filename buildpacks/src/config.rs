//! Limits of staging; each is a field with a default, so that an operator may set it and a test may shrink it.

use serde::{Deserialize, Serialize};

/// Limits of staging, over those that each request brings (memory, disk, wall time).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StagingLimits {
    /// Packages staged at the same time; more wait.
    pub concurrent_stagings: usize,
    /// Components compiled at the same time; more wait.
    pub concurrent_compiles: usize,
    /// Bytes of output of one staging that reach the app's log; the rest is dropped, and a line says so.
    pub output_bytes: u64,
    /// Bytes of one line of that output; a longer line is cut.
    pub output_line_bytes: usize,
    /// Processes of one staging at the same time.
    pub processes: usize,
    /// Bytes of the largest file a staging may write.
    pub file_bytes: u64,
    /// Bytes that stagings of one app may leave for later ones (packages, build caches).
    pub cache_bytes: u64,
    /// Bytes that must stay free on the disk; a staging is stopped where there are fewer.
    pub reserve_bytes: u64,
    /// CPU time of one process of a staging, seconds.
    pub cpu_seconds: u64,
    /// Bytes of a buildpack's zip that is fetched from an address.
    pub buildpack_bytes: u64,
    /// Bytes of a package when unpacked.
    pub package_bytes: u64,
    /// Files and folders of a package.
    pub package_entries: usize,
    /// Wall time for installing a language's toolchain, milliseconds.
    pub toolchain_ms: u64,
    /// Wall time of compiling one component, milliseconds.
    pub compile_ms: u64,
    /// Memory for compiling one component, MiB.
    pub compile_memory_mb: u64,
}

impl Default for StagingLimits {
    fn default() -> Self {
        Self {
            concurrent_stagings: 2,
            concurrent_compiles: 2,
            output_bytes: 1 << 20,
            output_line_bytes: 16 << 10,
            processes: 128,
            file_bytes: 2 << 30,
            cache_bytes: 4 << 30,
            reserve_bytes: 512 << 20,
            cpu_seconds: 900,
            buildpack_bytes: 1 << 30,
            package_bytes: 2 << 30,
            package_entries: 100_000,
            toolchain_ms: 1_800_000,
            compile_ms: 300_000,
            compile_memory_mb: 4096,
        }
    }
}
