//! The Go of this buildpack: an installed one of its own, with the files of `std` in its standard library.

use crate::toolchain::Toolchain;

/// The version of Go that apps are built with.
pub(super) const GO: &str = "1.27.3";
/// Tags of every build: no HTTP/2 on connections of our own, and time zones in the program, since the guest has no files of them.
pub(super) const TAGS: &str = "nethttpomithttp2,timetzdata";

pub(crate) const TOOLCHAIN: Toolchain = Toolchain {
    name: "go",
    version: GO,
    files: &[
        ("requirements.txt", include_str!("toolchain.txt")),
        ("tags.txt", TAGS),
        ("prepare.py", include_str!("prepare.py")),
        ("std/runtime/wasi_component.go", include_str!("std/runtime/wasi_component.go")),
        ("std/internal/wasi/client.go", include_str!("std/internal/wasi/client.go")),
        ("std/internal/wasi/headers.go", include_str!("std/internal/wasi/headers.go")),
        ("std/internal/wasi/incoming.go", include_str!("std/internal/wasi/incoming.go")),
        ("std/internal/wasi/outgoing.go", include_str!("std/internal/wasi/outgoing.go")),
        ("std/internal/wasi/streams.go", include_str!("std/internal/wasi/streams.go")),
        ("std/internal/wasi/stub.s", include_str!("std/internal/wasi/stub.s")),
        ("std/internal/wasi/wait.go", include_str!("std/internal/wasi/wait.go")),
        ("std/net/http/wasi_response.go", include_str!("std/net/http/wasi_response.go")),
        ("std/net/http/wasi_server.go", include_str!("std/net/http/wasi_server.go")),
        ("std/net/http/wasi_transport.go", include_str!("std/net/http/wasi_transport.go")),
    ],
    commands: &[
        &[
            "python3",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary=:all:",
            "--no-compile",
            "--require-hashes",
            "--target",
            "packages",
            "-r",
            "requirements.txt",
        ],
        &["python3", "prepare.py"],
    ],
    programs: &["python3"],
    how_to_install: "apt-get install python3 python3-pip",
    engine: None,
};
