//! `droplet.json`: what a droplet (`application/vnd.virga.droplet`, a zstd tar with `app.wasm` and `files/`) is and needs.

use crate::{Sha256Digest, process::ReusePolicy, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words! {
    /// The kind of guest, decided at staging.
    GuestKind {
        /// Exports `wasi:http/incoming-handler@0.2`.
        HttpP2 = "http-p2",
        /// Exports `wasi:http/handler@0.3`.
        HttpP3 = "http-p3",
        /// A WASI command that speaks CGI (RFC 3875) over stdin and stdout, one run per request.
        Cgi = "cgi",
        /// Files served by the cell; no guest code.
        Static = "static",
        /// A WASI command that lives as long as its instance and listens on `$PORT` through wasi:sockets.
        Server = "server",
        /// A WASI command that serves nobody: its processes are workers, and it runs tasks.
        Command = "command",
    }
}

/// The droplet's own description of itself; the first entry of its archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropletManifest {
    /// Version of this format; 1.
    pub format: u32,
    /// How the cell runs it.
    pub guest: GuestKind,
    /// SHA-256 of `app.wasm` (a component); absent for static sites.
    pub component: Option<Sha256Digest>,
    /// Which reuse policy applies unless the app says otherwise.
    pub reuse: ReusePolicy,
    /// Process types and their commands, `web` among them.
    pub process_types: BTreeMap<String, String>,
    /// Who built it.
    pub buildpack: BuildpackRef,
    /// Environment the buildpack adds; the app's own settings win.
    pub environment: BTreeMap<String, String>,
    /// WIT imports of the component: the capabilities it asks for.
    pub imports: Vec<String>,
    /// Name and version of the software inside.
    pub software: Vec<Software>,
    /// Settings for [`GuestKind::Static`].
    #[serde(default)]
    pub site: Option<StaticSite>,
}

/// The buildpack that made a droplet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildpackRef {
    /// `nodejs`, `python`, `staticfile`, `wasm`.
    pub name: String,
    /// Version of the buildpack.
    pub version: String,
}

/// One piece of software in a droplet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    /// Its name, as its registry knows it.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// How a static site is served; read from `Staticfile`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StaticSite {
    /// Serve `index.html` for paths that name no file (single-page apps).
    pub pushstate: bool,
    /// List folders that have no `index.html`.
    pub directory_listing: bool,
}
