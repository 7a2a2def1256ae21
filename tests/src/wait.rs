//! Waiting for a condition, never for a time.

use std::{future::Future, time::Duration};

/// Asks `probe` again and again until it gives a value; an error names what was waited for.
///
/// # Errors
/// When nothing came within `limit`; the text carries the last answer of `probe`.
pub async fn until<T, F, Fut>(what: &str, limit: Duration, mut probe: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<T>>,
{
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        match probe().await {
            Ok(value) => return Ok(value),
            Err(error) if tokio::time::Instant::now() > deadline => {
                return Err(error.context(format!("waited {limit:?} for {what}")));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
