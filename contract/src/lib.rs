//! Every byte that crosses a process, and the traits by which the rooms call one another.
//!
//! A room is called only through a trait of this crate, in one process by a direct call and across processes over a
//! socket; it never knows which. No I/O happens here.

pub mod body;
pub mod cell;
pub mod error;
pub mod identity;
pub mod limits;
pub mod logs;
pub mod scheduling;
pub mod staging;

pub use body::{Body, BoxError, ByteStream};
pub use error::{ApiError, ErrorCode};
