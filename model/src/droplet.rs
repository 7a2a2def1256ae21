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

/// How a static site is served; read from `Staticfile`, `Staticfile.auth` and `_headers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StaticSite {
    /// Serve `index.html` for paths that name no file (single-page apps).
    pub pushstate: bool,
    /// List folders that have no `index.html`.
    pub directory_listing: bool,
    /// Serve files and folders whose names begin with a dot.
    pub host_dot_files: bool,
    /// Send clients that came by `http` to `https`.
    pub force_https: bool,
    /// Value of `Strict-Transport-Security`, if it is sent.
    pub strict_transport_security: Option<String>,
    /// Status to the path of the page that comes with it, such as 404 to `404.html`.
    pub error_pages: BTreeMap<u16, String>,
    /// Headers for paths; where several rules name the same header, the last one that fits decides.
    pub headers: Vec<HeaderRule>,
    /// Names to password hashes, as in an htpasswd file. Where there are any, nobody else sees the site.
    pub users: BTreeMap<String, String>,
    /// Which compressed forms some file of the site has beside it (`page.html.br`).
    pub compressed: Vec<Compression>,
}

/// Headers of the answers for the paths that fit a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderRule {
    /// A path of the site; `*` stands for anything, `:name` for one part between slashes.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
}

words! {
    /// A form of a file that is smaller on its way.
    Compression {
        /// Brotli (RFC 7932), in a file that ends in `.br`.
        Brotli = "br",
        /// gzip (RFC 1952), in a file that ends in `.gz`.
        Gzip = "gzip",
    }
}

/// Folder of a site's files with the compressed forms that staging made; never served by its name.
pub const MADE_COMPRESSED: &str = ".virga-compressed";
