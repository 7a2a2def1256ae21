//! Files of earlier packages, so that the next push need not send them again.

use super::{
    assemble::{MatchedResource, read_some},
    bits::{BitsEntry, EntryKind},
    multipart::invalid,
    store_bits::{Bits, blocking},
};
use crate::{Controller, Result};
use bytes::Bytes;
use std::sync::Arc;
use virga_blobstore::Kind;
use virga_contract::ApiError;
use virga_model::Sha256Digest;
use virga_store::resources::{self, ResourceRow};

/// Smaller files cost less to send than to look up.
pub(crate) const MIN_BYTES: u64 = 1 << 10;
/// Larger files are sent each time.
pub(crate) const MAX_BYTES: u64 = 64 << 20;
/// Days that a file stays without being pushed again.
const KEEP_DAYS: i64 = 31;
/// Files that are let go of with one upload at most.
const FORGET_AT_A_TIME: u32 = 1_000;
/// Rows written in one transaction.
const ROWS_AT_A_TIME: usize = 500;
/// Bytes in memory at a time while the cache is filled.
const BUDGET_BYTES: u64 = 8 << 20;

/// The blob of a matched resource.
///
/// # Errors
/// 400 `AppBitsUploadInvalid` for one that is not (or no longer) in the cache.
pub(super) async fn find(controller: &Controller, resource: &MatchedResource) -> Result<Sha256Digest> {
    let sha1 = resource.sha1()?;
    let mut db = controller.store.read().await?;
    let found = resources::find(&mut db, &sha1, resource.size_in_bytes).await?;
    drop(db);
    if let Some(found) = found
        && controller.blobs.exists(Kind::Resources, &found.digest).await?
    {
        return Ok(found.digest);
    }
    Err(invalid(format_args!("resource '{}' is not in the resource cache; push again", resource.path.escape_debug())).into())
}

/// Puts the files of a package into the cache, behind the back of the client. What fails here costs the next push some bytes
/// and nothing else.
pub(super) fn fill_in_background(controller: &Controller, bits: Bits) {
    let filling = controller.clone();
    controller.background(async move {
        let outcome = match fill(&filling, bits).await {
            Ok(()) => forget_unused(&filling).await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, context = error.api().context, "the resource cache could not be filled");
        }
    });
}

async fn fill(controller: &Controller, bits: Bits) -> Result<()> {
    let mut missing: Vec<BitsEntry> = Vec::new();
    let mut known = Vec::new();
    for entry in bits.entries {
        let EntryKind::File(sha1) = entry.kind else { continue };
        if !(MIN_BYTES..=MAX_BYTES).contains(&entry.size_bytes) {
            continue;
        }
        match resources::find(&mut *controller.store.read().await?, &hex(&sha1), entry.size_bytes).await? {
            Some(row) => known.push(row),
            None => missing.push(entry),
        }
    }
    touch(controller, &known).await?;
    let file = Arc::new(bits.file);
    let mut rest = missing;
    while !rest.is_empty() {
        let (zip, batch) = (Arc::clone(&file), rest.clone());
        let (contents, looked_at) = blocking(move || read_some(zip.path(), &batch, BUDGET_BYTES)).await?;
        rest.drain(..looked_at.min(rest.len()));
        let mut rows = Vec::with_capacity(contents.len());
        for (sha1, content) in contents {
            let size_bytes = content.len() as u64;
            let digest = controller.blobs.put_bytes(Kind::Resources, Bytes::from(content)).await?;
            rows.push(ResourceRow { sha1: hex(&sha1), size_bytes, digest });
        }
        touch(controller, &rows).await?;
    }
    Ok(())
}

/// Rows in pieces, so that nobody waits long for the database.
async fn touch(controller: &Controller, rows: &[ResourceRow]) -> Result<()> {
    for piece in rows.chunks(ROWS_AT_A_TIME) {
        let mut tx = controller.store.begin().await?;
        for row in piece {
            resources::touch(&mut tx, row, controller.now()).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// Lets go of what nobody pushed for a long time: a few files with each upload.
async fn forget_unused(controller: &Controller) -> Result<()> {
    let keep = jiff::SignedDuration::from_hours(24 * KEEP_DAYS);
    let before = controller.now().checked_sub(keep).map_err(ApiError::internal)?;
    let unused = resources::list_unused(&mut *controller.store.read().await?, before, FORGET_AT_A_TIME).await?;
    for row in unused {
        let mut tx = controller.store.begin().await?;
        resources::delete(&mut tx, &row).await?;
        controller.blobs.delete(Kind::Resources, &row.digest).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn hex(sha1: &[u8; 20]) -> String {
    use std::fmt::Write as _;
    sha1.iter().fold(String::with_capacity(40), |mut text, byte| {
        // Writing into a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}
