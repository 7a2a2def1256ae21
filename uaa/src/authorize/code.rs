//! Authorization codes.

use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
    settings::seconds,
    tokens::issue::secret,
};
use serde::{Deserialize, Serialize};
use virga_model::{Sha256Digest, Timestamp, UserGuid};
use virga_store::{
    Connection,
    uaa::codes::{self, CodeRow, Kind},
};

/// What a code stands for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CodeData {
    pub(crate) client_id: String,
    /// As the request had it; the exchange must name the same, or none where the request had none.
    pub(crate) redirect_uri: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<String>,
    /// When the user logged in, seconds since the epoch.
    pub(crate) auth_time: i64,
}

impl CodeData {
    pub(crate) fn auth_time(&self) -> Result<Timestamp> {
        Timestamp::from_second(self.auth_time).map_err(Refusal::internal)
    }
}

/// Writes a code and gives it.
pub(super) async fn create(uaa: &Uaa, db: &mut Connection, user: UserGuid, data: &CodeData) -> Result<String> {
    let (code, now) = (secret(), uaa.now());
    let row = CodeRow {
        code_hash: Sha256Digest::of(code.as_bytes()),
        kind: Kind::Authorization,
        created_at: now,
        expires_at: now.checked_add(seconds(uaa.settings.code_seconds)).map_err(Refusal::internal)?,
        user: Some(user),
        data: serde_json::to_string(data).map_err(Refusal::internal)?,
    };
    codes::insert(db, &row).await?;
    Ok(code)
}
