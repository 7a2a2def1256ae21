//! From what was uploaded to a checked zip in the blobstore.

use super::{
    assemble::{FetchedResource, MatchedResource, merge},
    bits::{BitsEntry, BitsError, BitsLimits, inspect},
    multipart::{invalid, scratch},
    resource_cache,
};
use crate::{Controller, Error, Result};
use std::{fs::File, io::BufReader, path::PathBuf};
use tempfile::{NamedTempFile, TempDir};
use tokio::sync::Semaphore;
use virga_blobstore::Kind;
use virga_contract::ApiError;
use virga_model::{Sha256Digest, state::PackageState};
use virga_store::packages::{self, PackageRow};

/// Uploads that are looked through at a time; the rest wait, so that they leave a core to everybody else.
static LOOKING: Semaphore = Semaphore::const_new(2);

/// Bits that are checked and stored; the file is still here.
#[derive(Debug)]
pub(super) struct Bits {
    /// The blob.
    pub(super) digest: Sha256Digest,
    /// Its size.
    pub(super) size_bytes: u64,
    /// What is in it.
    pub(super) entries: Vec<BitsEntry>,
    /// The zip.
    pub(super) file: NamedTempFile,
}

impl From<BitsError> for Error {
    fn from(error: BitsError) -> Self {
        match error {
            BitsError::Refused(detail) => invalid(detail).into(),
            BitsError::Io(error) => scratch(&error).into(),
        }
    }
}

/// Checks the upload, adds the matched resources, and stores the whole.
///
/// # Errors
/// 400 `AppBitsUploadInvalid`; those of the blobstore.
pub(super) async fn check_and_store(controller: &Controller, upload: Option<NamedTempFile>, matched: &[MatchedResource]) -> Result<Bits> {
    let limits = BitsLimits { upload_bytes: controller.config.limits.maximum_package_bytes, ..BitsLimits::default() };
    let folder = TempDir::new().map_err(|error| scratch(&error))?;
    let fetched = fetch(controller, matched, &limits, folder.path().to_owned()).await?;
    let (file, entries) = blocking(move || {
        // What came from outside is checked before anything else reads it; what is stored is what was checked last.
        let sent = match &upload {
            Some(upload) => inspect(BufReader::new(File::open(upload.path())?), &limits)?,
            None => Vec::new(),
        };
        let checked = match upload {
            Some(upload) if fetched.is_empty() => (upload, sent),
            upload => {
                let merged = NamedTempFile::new()?;
                merge(upload.as_ref().map(NamedTempFile::path), &fetched, merged.as_file())?;
                let entries = inspect(BufReader::new(File::open(merged.path())?), &limits)?;
                (merged, entries)
            }
        };
        drop(folder);
        Ok(checked)
    })
    .await?;
    let (digest, size_bytes) = controller.blobs.put_file(Kind::Packages, file.path()).await?;
    Ok(Bits { digest, size_bytes, entries, file })
}

/// Runs work on files where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, BitsError> + Send + 'static) -> Result<T> {
    let _turn = LOOKING.acquire().await.map_err(ApiError::internal)?;
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => Ok(outcome?),
        Err(error) => Err(ApiError::internal(format_args!("reading bits: {error}")).into()),
    }
}

/// Brings the matched resources out of the cache into `folder`, up to what a package may hold.
async fn fetch(controller: &Controller, matched: &[MatchedResource], limits: &BitsLimits, folder: PathBuf) -> Result<Vec<FetchedResource>> {
    if matched.len() as u64 > limits.entries {
        return Err(invalid(format_args!("more than the limit of {} entries were matched", limits.entries)).into());
    }
    let together: u64 = matched.iter().map(|resource| resource.size_in_bytes).fold(0, u64::saturating_add);
    if together > limits.unpacked_bytes {
        return Err(invalid(format_args!("the matched resources exceed the limit of {} unpacked bytes", limits.unpacked_bytes)).into());
    }
    let mut fetched = Vec::with_capacity(matched.len());
    for (number, resource) in matched.iter().enumerate() {
        let digest = resource_cache::find(controller, resource).await?;
        let content = folder.join(number.to_string());
        controller.blobs.to_file(Kind::Resources, &digest, &content).await?;
        fetched.push(FetchedResource { path: resource.path.clone(), permissions: resource.permissions(), content });
    }
    Ok(fetched)
}

/// Makes sure, inside the transaction that names the blob, that nobody freed it meanwhile.
///
/// # Errors
/// Those of the blobstore.
pub(super) async fn ensure_stored(controller: &Controller, bits: &Bits) -> Result<()> {
    if !controller.blobs.exists(Kind::Packages, &bits.digest).await? {
        controller.blobs.put_file(Kind::Packages, bits.file.path()).await?;
    }
    Ok(())
}

/// Notes on the package why its bits were not taken.
///
/// # Errors
/// Those of the database.
pub(super) async fn fail(controller: &Controller, package: &mut PackageRow, error: &ApiError) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    package.state = PackageState::Failed;
    package.error = error.problems.first().map(|(_, detail)| detail.clone());
    packages::update(&mut tx, package, controller.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Fails packages whose upload ended with the process that took it; the client's connection is gone with it.
///
/// # Errors
/// Those of the database.
pub(crate) async fn fail_interrupted(controller: &Controller) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    for mut package in packages::list_in_state(&mut tx, PackageState::ProcessingUpload).await? {
        package.state = PackageState::Failed;
        package.error = Some("The upload was interrupted by a restart of the platform. Push again.".to_owned());
        packages::update(&mut tx, &mut package, controller.now()).await?;
    }
    tx.commit().await?;
    Ok(())
}
