//! MessagePack with named fields, so that either side may gain a field before the other.

use serde::{Serialize, de::DeserializeOwned};
use virga_contract::cell::LinkError;

/// The media type of every body that is not a stream.
pub(super) const MESSAGE_PACK: &str = "application/vnd.msgpack";

/// The bytes of a value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, LinkError> {
    rmp_serde::to_vec_named(value).map_err(|error| LinkError::Failed(format!("cannot encode: {error}")))
}

/// The value of these bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, LinkError> {
    rmp_serde::from_slice(bytes).map_err(|error| LinkError::Failed(format!("cannot decode: {error}")))
}

/// Above this size a body is encoded or decoded off the event loop, which serves apps in the meantime.
const INLINE_BYTES: usize = 64 << 10;

/// As [`decode`], off the event loop when there is much to do.
pub(super) async fn decode_aside<T: DeserializeOwned + Send + 'static>(bytes: bytes::Bytes) -> Result<T, LinkError> {
    if bytes.len() <= INLINE_BYTES {
        return decode(&bytes);
    }
    tokio::task::spawn_blocking(move || decode(&bytes)).await.map_err(|error| LinkError::Failed(error.to_string()))?
}
