//! What the command line remembers between calls: target and tokens, in a file only its owner may read.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// A resource as remembered: guid and the name it had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its guid.
    pub guid: String,
    /// Its name.
    pub name: String,
}

/// The contents of `config.json`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Base URL of the API.
    pub api: String,
    /// Base URL for tokens.
    pub login: String,
    /// Base URL of the log cache.
    pub log_cache: String,
    /// Version of the API.
    pub api_version: String,
    /// Certificates are not checked.
    pub skip_ssl_validation: bool,
    /// Access token, without `bearer`.
    pub access_token: String,
    /// Refresh token.
    pub refresh_token: String,
    /// Targeted organization.
    pub organization: Option<Named>,
    /// Targeted space.
    pub space: Option<Named>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("api", &self.api).field("space", &self.space).finish_non_exhaustive()
    }
}

/// Where the session is kept: `$VIRGA_HOME/.virga/config.json`, `$HOME` when `VIRGA_HOME` is not set.
pub fn default_path() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("VIRGA_HOME").or_else(|| std::env::var_os("HOME")).context("neither VIRGA_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".virga").join("config.json"))
}

impl Session {
    /// Reads the file; a missing one is an empty session.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged; remove it and log in again", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes the file whole, mode 0600, and puts it in place in one step.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let folder = path.parent().context("the session file has no folder")?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let new = folder.join(format!(".config.json.{}", std::process::id()));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        std::fs::rename(&new, path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// A claim of the access token; the server checks it, the command line only reads it.
    pub fn claim(&self, name: &str) -> Option<serde_json::Value> {
        claim(&self.access_token, name)
    }

    /// Names of the tokens, the refresh token's first: while there is one, there are new access tokens.
    pub fn token_names(&self) -> Vec<String> {
        let names = [&self.refresh_token, &self.access_token].map(|token| claim(token, "jti"));
        names.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    }

    /// Who is logged in, as `cf target` shows it.
    pub fn user(&self) -> Option<String> {
        let claim = self.claim("user_name").or_else(|| self.claim("client_id"))?;
        claim.as_str().map(str::to_owned)
    }
}

fn claim(token: &str, name: &str) -> Option<serde_json::Value> {
    use base64::Engine as _;
    let payload = token.split('.').nth(1)?;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    claims.get(name).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_session_reads_back_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".virga").join("config.json");
        assert_eq!(Session::load(&path).unwrap(), Session::default());
        let session = Session { api: "http://127.0.0.1:1".into(), access_token: "a.b.c".into(), ..Session::default() };
        session.save(&path).unwrap();
        assert_eq!(Session::load(&path).unwrap(), session);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{session:?}").contains("a.b.c"));
    }

    #[test]
    fn claims_are_read_from_the_middle_part() {
        use base64::Engine as _;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(br#"{"user_name":"admin","exp":5}"#);
        let session = Session { access_token: format!("h.{claims}.s"), ..Session::default() };
        assert_eq!(session.user().as_deref(), Some("admin"));
        assert_eq!(Session::default().user(), None);
    }
}
