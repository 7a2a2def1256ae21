//! One direction of an in-memory connection between the host and a guest: a bounded buffer with a waker at either end. The
//! writer learns how much room there is before it writes, as WASI's streams want it; nothing is ever taken and then lost.

use bytes::{Bytes, BytesMut};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// See the module.
pub struct Pipe {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    buffer: BytesMut,
    /// Nothing more will be written.
    is_finished: bool,
    /// Nothing more will be read.
    is_abandoned: bool,
    /// The guest ended in the middle: the reader must not take it for an end.
    is_broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl State {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Pipe {
    /// A pipe that holds this many bytes.
    pub fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that can be written now; waits for some room.
    ///
    /// # Errors
    /// `BrokenPipe` when nobody reads any more or the pipe is finished.
    pub fn poll_room(&self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        if state.is_abandoned || state.is_finished || state.is_broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match self.capacity.saturating_sub(state.buffer.len()) {
            0 => {
                state.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }

    /// Writes what fits, and tells how much that was.
    pub fn put(&self, bytes: &[u8]) -> usize {
        let mut state = self.state();
        let room = self.capacity.saturating_sub(state.buffer.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        if !state.is_abandoned {
            state.buffer.extend_from_slice(taken);
        }
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        taken.len()
    }

    /// Waits until there is something to read, or the end.
    pub fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.buffer.is_empty() || state.is_finished || state.is_broken || state.is_abandoned {
            return Poll::Ready(());
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Bytes that can be read now.
    pub fn held(&self) -> usize {
        self.state().buffer.len()
    }

    /// Up to this many bytes; empty for none yet, `None` for the end.
    ///
    /// # Errors
    /// `ConnectionReset` after the last byte of a guest that ended in the middle.
    pub fn take(&self, most: usize) -> io::Result<Option<Bytes>> {
        let mut state = self.state();
        if state.is_broken && state.buffer.is_empty() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if state.is_abandoned || (state.buffer.is_empty() && state.is_finished) {
            return Ok(None);
        }
        let length = most.min(state.buffer.len());
        let bytes = state.buffer.split_to(length).freeze();
        if state.buffer.is_empty() {
            // The next piece gets a buffer of its own; this one lives as long as its bytes are used.
            state.buffer = BytesMut::new();
        }
        if let Some(writer) = state.writer.take() {
            writer.wake();
        }
        Ok(Some(bytes))
    }

    /// Nothing more will be written; what was can still be read.
    pub fn finish(&self) {
        let mut state = self.state();
        state.is_finished = true;
        state.wake();
    }

    /// Nothing more will be read.
    pub fn abandon(&self) {
        let mut state = self.state();
        state.is_abandoned = true;
        state.buffer = BytesMut::new();
        state.wake();
    }

    /// Ends it in the middle, unless it was finished in order.
    pub fn cut(&self) {
        let mut state = self.state();
        state.is_broken |= !state.is_finished;
        state.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cx() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn what_fits_is_taken_and_read_in_order() {
        let pipe = Pipe::new(4);
        assert!(matches!(pipe.poll_room(&cx()), Poll::Ready(Ok(4))));
        assert_eq!(pipe.put(b"abcdef"), 4);
        assert!(pipe.poll_room(&cx()).is_pending());
        assert_eq!(pipe.take(3).unwrap().unwrap(), "abc");
        assert!(matches!(pipe.poll_room(&cx()), Poll::Ready(Ok(3))));
        pipe.finish();
        assert!(matches!(pipe.poll_room(&cx()), Poll::Ready(Err(_))));
        assert_eq!(pipe.take(9).unwrap().unwrap(), "d");
        assert_eq!(pipe.take(9).unwrap(), None);
    }

    #[test]
    fn a_cut_is_no_end_but_after_an_end_nothing_is_cut() {
        let (cut, ended) = (Pipe::new(4), Pipe::new(4));
        assert_eq!(cut.put(b"a"), 1);
        cut.cut();
        assert_eq!(cut.take(9).unwrap().unwrap(), "a");
        assert_eq!(cut.take(9).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        ended.finish();
        ended.cut();
        assert_eq!(ended.take(9).unwrap(), None);
        ended.abandon();
        assert!(matches!(ended.poll_room(&cx()), Poll::Ready(Err(_))));
    }
}
