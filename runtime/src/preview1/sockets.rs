//! Accepting, reading, writing and ending connections.

use super::{
    WASI,
    descriptors::Socket,
    memory::{Answer, Errno, number, pieces, put, unsigned},
    parts,
};
use crate::{sockets::GuestEnd, store::GuestState};
use std::{
    future::poll_fn,
    ops::Range,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use wasmtime::{Caller, Linker};
use wasmtime_wasi::p1::wasi_snapshot_preview1 as engine;
use wiggle::GuestMemory;

const NONBLOCK: u32 = 4;
const RECEIVING: u32 = 1;
const SENDING: u32 = 2;

/// A call of the guest's: where its bytes are or go, and where their number goes.
#[derive(Clone, Copy)]
struct Transfer {
    descriptor: u32,
    list: u32,
    count: u32,
    out: u32,
}

impl Transfer {
    fn new(descriptor: i32, list: i32, count: i32, out: i32) -> Self {
        Self { descriptor: unsigned(descriptor), list: unsigned(list), count: unsigned(count), out: unsigned(out) }
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.func_wrap_async(WASI, "sock_accept", |mut caller: Caller<'_, GuestState>, (descriptor, flags, out): (i32, i32, i32)| {
        Box::new(async move { accept(&mut caller, unsigned(descriptor), unsigned(flags), unsigned(out)).await.map(number) })
    })?;
    linker.func_wrap_async(
        WASI,
        "fd_read",
        |mut caller: Caller<'_, GuestState>, (descriptor, list, count, out): (i32, i32, i32, i32)| {
            Box::new(async move {
                let (memory, state) = parts(&mut caller)?;
                if !state.descriptors.has(unsigned(descriptor)) {
                    return engine::fd_read(&mut state.wasi, &mut GuestMemory::Unshared(memory), descriptor, list, count, out).await;
                }
                receive(&mut caller, Transfer::new(descriptor, list, count, out)).await.map(number)
            })
        },
    )?;
    linker.func_wrap_async(
        WASI,
        "fd_write",
        |mut caller: Caller<'_, GuestState>, (descriptor, list, count, out): (i32, i32, i32, i32)| {
            Box::new(async move {
                let (memory, state) = parts(&mut caller)?;
                if !state.descriptors.has(unsigned(descriptor)) {
                    return engine::fd_write(&mut state.wasi, &mut GuestMemory::Unshared(memory), descriptor, list, count, out).await;
                }
                send(&mut caller, Transfer::new(descriptor, list, count, out)).await.map(number)
            })
        },
    )?;
    linker.func_wrap_async(
        WASI,
        "sock_recv",
        |mut caller: Caller<'_, GuestState>, (descriptor, list, count, flags, out, out_flags): (i32, i32, i32, i32, i32, i32)| {
            Box::new(async move {
                // Looking without taking, and waiting for all: neither is what a stream of ours does.
                if flags != 0 {
                    return Ok(number(Err(Errno::NotSupported)));
                }
                let received = receive(&mut caller, Transfer::new(descriptor, list, count, out)).await?;
                let (memory, _) = parts(&mut caller)?;
                Ok(number(received.and_then(|()| put(memory, unsigned(out_flags), &[0, 0]))))
            })
        },
    )?;
    linker.func_wrap_async(
        WASI,
        "sock_send",
        |mut caller: Caller<'_, GuestState>, (descriptor, list, count, _flags, out): (i32, i32, i32, i32, i32)| {
            Box::new(async move { send(&mut caller, Transfer::new(descriptor, list, count, out)).await.map(number) })
        },
    )?;
    linker.func_wrap(WASI, "sock_shutdown", |mut caller: Caller<'_, GuestState>, descriptor: i32, how: i32| {
        let (_, state) = parts(&mut caller)?;
        Ok(number(connection(state, unsigned(descriptor)).and_then(|end| shut_down(&end, unsigned(how)))))
    })?;
    Ok(())
}

fn connection(state: &GuestState, descriptor: u32) -> Result<Arc<GuestEnd>, Errno> {
    match state.descriptors.socket(descriptor)? {
        Socket::Connection(end) => Ok(end),
        Socket::Listener(_) => Err(Errno::NotConnected),
    }
}

fn shut_down(end: &GuestEnd, how: u32) -> Answer {
    if how == 0 || how > (RECEIVING | SENDING) {
        return Err(Errno::Invalid);
    }
    if how & SENDING != 0 {
        end.output.finish();
    }
    if how & RECEIVING != 0 {
        end.input.abandon();
    }
    Ok(())
}

async fn accept(caller: &mut Caller<'_, GuestState>, descriptor: u32, flags: u32, out: u32) -> wasmtime::Result<Answer> {
    let (memory, state) = parts(caller)?;
    let listener = match state.descriptors.socket(descriptor) {
        Ok(Socket::Listener(listener)) => listener,
        Ok(Socket::Connection(_)) => return Ok(Err(Errno::Invalid)),
        Err(error) => return Ok(Err(error)),
    };
    // Before a caller is taken who would then be lost.
    if put(memory, out, &[0; 4]).is_err() {
        return Ok(Err(Errno::Fault));
    }
    let waits = state.descriptors.waits(descriptor);
    listener.set_listening(true);
    let end = loop {
        match listener.accept() {
            Some(end) => break end,
            None if waits => poll_fn(|cx| listener.poll_acceptable(cx)).await,
            None => return Ok(Err(Errno::Again)),
        }
    };
    let (memory, state) = parts(caller)?;
    let accepted = state.descriptors.add(end, flags & NONBLOCK == 0);
    Ok(put(memory, out, &accepted.to_le_bytes()))
}

async fn receive(caller: &mut Caller<'_, GuestState>, wanted: Transfer) -> wasmtime::Result<Answer> {
    let (memory, state) = parts(caller)?;
    let found = connection(state, wanted.descriptor).and_then(|end| Ok((end, places(memory, wanted)?)));
    let (end, places) = match found {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let waits = state.descriptors.waits(wanted.descriptor);
    let most = places.iter().map(Range::len).sum();
    if most > 0 && end.input.poll_ready(&noop()).is_pending() {
        if !waits {
            return Ok(Err(Errno::Again));
        }
        poll_fn(|cx| end.input.poll_ready(cx)).await;
    }
    let taken = match end.input.take(most) {
        Ok(taken) => taken.unwrap_or_default(),
        Err(_) => return Ok(Err(Errno::ConnectionReset)),
    };
    let (memory, _) = parts(caller)?;
    let mut rest = &*taken;
    for place in places {
        let Some(place) = memory.get_mut(place) else { return Ok(Err(Errno::Fault)) };
        let (now, later) = rest.split_at(place.len().min(rest.len()));
        place.iter_mut().zip(now).for_each(|(place, byte)| *place = *byte);
        rest = later;
    }
    Ok(put(memory, wanted.out, &u32::try_from(taken.len()).unwrap_or(u32::MAX).to_le_bytes()))
}

async fn send(caller: &mut Caller<'_, GuestState>, wanted: Transfer) -> wasmtime::Result<Answer> {
    let (memory, state) = parts(caller)?;
    let found = connection(state, wanted.descriptor).and_then(|end| Ok((end, places(memory, wanted)?)));
    let (end, places) = match found {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let waits = state.descriptors.waits(wanted.descriptor);
    let all: usize = places.iter().map(Range::len).sum();
    let now = end.output.poll_room(&noop());
    let room = match now {
        Poll::Pending if all > 0 && waits => poll_fn(|cx| end.output.poll_room(cx)).await,
        Poll::Pending if all > 0 => return Ok(Err(Errno::Again)),
        Poll::Pending => Ok(0),
        Poll::Ready(room) => room,
    };
    if room.is_err() {
        return Ok(Err(Errno::BrokenPipe));
    }
    let (memory, _) = parts(caller)?;
    let mut written = 0_usize;
    for place in places {
        let Some(bytes) = memory.get(place) else { return Ok(Err(Errno::Fault)) };
        let taken = end.output.put(bytes);
        written += taken;
        if taken < bytes.len() {
            break;
        }
    }
    Ok(put(memory, wanted.out, &u32::try_from(written).unwrap_or(u32::MAX).to_le_bytes()))
}

/// Where the bytes are; and whether their number can be told, before any of them moves.
fn places(memory: &mut [u8], wanted: Transfer) -> Result<Vec<Range<usize>>, Errno> {
    let places = pieces(memory, wanted.list, wanted.count)?;
    put(memory, wanted.out, &[0; 4])?;
    Ok(places)
}

fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
