//! Taking in a multipart upload: bits to a temporary file, resources as text, both within limits.

use crate::Result;
use std::path::Path;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use virga_contract::{ApiError, ErrorCode};
use virga_serve::axum::extract::{
    DefaultBodyLimit, FromRequest as _, Multipart, Request,
    multipart::{Field, MultipartError},
};

/// Bytes of the list of matched resources: some 100,000 entries.
const MAX_RESOURCES_BYTES: usize = 32 << 20;

/// What was sent.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    /// The file, where one was sent.
    pub(crate) bits: Option<NamedTempFile>,
    /// Its name at the client.
    pub(crate) filename: Option<String>,
    /// The text of `resources`, where it was sent.
    pub(crate) resources: Option<Vec<u8>>,
}

/// The parts `bits` and `resources`; other parts are skipped.
///
/// # Errors
/// 400 `AppBitsUploadInvalid` for more than `limit` bytes or a body that is no multipart form.
pub(crate) async fn receive(mut request: Request, limit: u64) -> Result<Upload> {
    // The parts have limits of their own; that on the whole is for the wrapping.
    let whole = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(MAX_RESOURCES_BYTES).saturating_add(1 << 16);
    DefaultBodyLimit::max(whole).apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|rejection| invalid(rejection.body_text()))?;
    let mut upload = Upload::default();
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        match field.name().unwrap_or_default() {
            "bits" | "application" | "droplet" if upload.bits.is_none() => {
                upload.filename = field.file_name().map(|name| name.chars().filter(|letter| !letter.is_control()).take(255).collect());
                upload.bits = Some(to_file(field, limit).await?);
            }
            "resources" if upload.resources.is_none() => upload.resources = Some(to_memory(field).await?),
            _ => {}
        }
    }
    Ok(upload)
}

/// The error of bits that cannot be taken.
pub(super) fn invalid(detail: impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::AppBitsUploadInvalid, format!("The app upload is invalid: {detail}"))
}

fn broken(error: &MultipartError) -> ApiError {
    invalid(error.body_text())
}

async fn to_file(mut field: Field<'_>, limit: u64) -> Result<NamedTempFile> {
    let temporary = NamedTempFile::new().map_err(|error| scratch(&error))?;
    let mut file = open(temporary.path()).await?;
    let mut size = 0_u64;
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        size += chunk.len() as u64;
        if size > limit {
            return Err(invalid(format_args!("the bits exceed the limit of {limit} bytes")).into());
        }
        file.write_all(&chunk).await.map_err(|error| scratch(&error))?;
    }
    file.flush().await.map_err(|error| scratch(&error))?;
    Ok(temporary)
}

async fn open(path: &Path) -> Result<tokio::fs::File> {
    tokio::fs::OpenOptions::new().write(true).open(path).await.map_err(|error| scratch(&error).into())
}

async fn to_memory(mut field: Field<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + chunk.len() > MAX_RESOURCES_BYTES {
            return Err(invalid(format_args!("the list of resources exceeds the limit of {MAX_RESOURCES_BYTES} bytes")).into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The temporary folder failed us.
pub(super) fn scratch(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::internal(format_args!("a temporary file of an upload: {error}"))
}
