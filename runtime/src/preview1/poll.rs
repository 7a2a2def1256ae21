//! Waiting for sockets, and for a moment beside them. What asks for neither listener nor connection is the engine's to answer.

use super::{
    WASI,
    descriptors::Socket,
    memory::{Errno, bytes, entry, number, put, u32_at, unsigned},
    parts,
};
use crate::store::GuestState;
use std::{
    future::poll_fn,
    task::{Context, Poll, Waker},
    time::Duration,
};
use wasmtime::{Caller, Linker};
use wasmtime_wasi::{
    clocks::WasiClocksView as _,
    p1::wasi_snapshot_preview1 as engine,
    p2::bindings::clocks::{monotonic_clock, wall_clock},
};
use wiggle::GuestMemory;

const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;
/// What one call may wait for: each connection in both directions, and something beside them, is less.
const MOST: u32 = 1 << 14;
const CLOCK: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 2;
const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;
const ABSOLUTE: u16 = 1;
const HANGUP: u16 = 1;

/// What is waited for.
enum Wanted {
    After(Duration),
    Read(Socket),
    Write(Socket),
    /// A file or a standard stream, which never keeps anybody waiting.
    Ready,
    /// A socket that is none.
    Broken,
}

/// What came of it: bytes to read or write, or that there will be none.
struct Came {
    error: u16,
    bytes: u64,
    flags: u16,
}

struct Subscription {
    user: [u8; 8],
    kind: u8,
    wanted: Wanted,
}

pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        WASI,
        "poll_oneoff",
        |mut caller: Caller<'_, GuestState>, (list, events, count, out): (i32, i32, i32, i32)| {
            Box::new(async move {
                let (memory, state) = parts(&mut caller)?;
                match concerns_sockets(memory, state, unsigned(list), unsigned(count)) {
                    Ok(true) => {}
                    Ok(false) => {
                        return engine::poll_oneoff(&mut state.wasi, &mut GuestMemory::Unshared(memory), list, events, count, out).await;
                    }
                    Err(error) => return Ok(number(Err(error))),
                }
                let wanted = match read(memory, state, unsigned(list), unsigned(count)) {
                    Ok(wanted) => wanted,
                    Err(error) => return Ok(number(Err(error))),
                };
                let is_timeout = wait(&wanted).await;
                let (memory, _) = parts(&mut caller)?;
                Ok(number(tell(memory, &wanted, is_timeout, unsigned(events), unsigned(out))))
            })
        },
    )?;
    Ok(())
}

fn concerns_sockets(memory: &[u8], state: &GuestState, list: u32, count: u32) -> Result<bool, Errno> {
    if count > MOST {
        return Err(Errno::Invalid);
    }
    for number in 0..count {
        let at = entry(list, SUBSCRIPTION_BYTES, number)?;
        let [kind] = bytes(memory, entry(at, 8, 1)?)?;
        if kind != CLOCK && state.descriptors.has(u32_at(memory, entry(at, 16, 1)?)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(memory: &[u8], state: &mut GuestState, list: u32, count: u32) -> Result<Vec<Subscription>, Errno> {
    let one = |number| {
        let at = entry(list, SUBSCRIPTION_BYTES, number)?;
        let field = |offset| entry(at, offset, 1);
        let [kind] = bytes(memory, field(8)?)?;
        let id = u32_at(memory, field(16)?)?;
        let wanted = match kind {
            CLOCK => {
                let timeout = u64::from_le_bytes(bytes(memory, field(24)?)?);
                let flags = u16::from_le_bytes(bytes(memory, field(40)?)?);
                Wanted::After(until(state, id, timeout, flags & ABSOLUTE != 0)?)
            }
            READ | WRITE if !state.descriptors.has(id) => Wanted::Ready,
            READ => match state.descriptors.socket(id) {
                Ok(socket) => {
                    if let Socket::Listener(listener) = &socket {
                        listener.set_listening(true);
                    }
                    Wanted::Read(socket)
                }
                Err(_) => Wanted::Broken,
            },
            WRITE => state.descriptors.socket(id).map_or(Wanted::Broken, Wanted::Write),
            _ => return Err(Errno::Invalid),
        };
        Ok(Subscription { user: bytes(memory, at)?, kind, wanted })
    };
    (0..count).map(one).collect()
}

/// How long it is until then.
fn until(state: &mut GuestState, clock: u32, timeout: u64, is_absolute: bool) -> Result<Duration, Errno> {
    let now = match (clock, is_absolute) {
        (REALTIME | MONOTONIC, false) => 0,
        (MONOTONIC, true) => monotonic_clock::Host::now(&mut state.wasi.clocks()).map_err(|_| Errno::Invalid)?,
        (REALTIME, true) => {
            let now = wall_clock::Host::now(&mut state.wasi.clocks()).map_err(|_| Errno::Invalid)?;
            now.seconds.saturating_mul(1_000_000_000).saturating_add(now.nanoseconds.into())
        }
        _ => return Err(Errno::Invalid),
    };
    Ok(Duration::from_nanos(timeout.saturating_sub(now)))
}

/// Waits until something came; tells whether it was the earliest moment.
async fn wait(wanted: &[Subscription]) -> bool {
    let earliest = earliest(wanted);
    let mut timer = earliest.filter(|time| !time.is_zero()).map(|time| Box::pin(tokio::time::sleep(time)));
    poll_fn(|cx| {
        // Each leaves its waker, whoever else is ready.
        if wanted.iter().filter(|one| came(&one.wanted, cx).is_some()).count() > 0 {
            return Poll::Ready(false);
        }
        match &mut timer {
            Some(timer) => timer.as_mut().poll(cx).map(|()| true),
            None if earliest.is_some() => Poll::Ready(true),
            None => Poll::Pending,
        }
    })
    .await
}

fn earliest(wanted: &[Subscription]) -> Option<Duration> {
    wanted.iter().filter_map(|one| if let Wanted::After(time) = one.wanted { Some(time) } else { None }).min()
}

fn came(wanted: &Wanted, cx: &Context<'_>) -> Option<Came> {
    let nothing = Came { error: 0, bytes: 0, flags: 0 };
    let ready = match wanted {
        Wanted::After(_) => return None,
        Wanted::Ready => Poll::Ready(Came { bytes: 1, ..nothing }),
        Wanted::Broken => Poll::Ready(Came { error: Errno::BadDescriptor as u16, ..nothing }),
        Wanted::Read(Socket::Listener(listener)) => listener.poll_acceptable(cx).map(|()| Came { bytes: 1, ..nothing }),
        Wanted::Read(Socket::Connection(end)) => end.input.poll_ready(cx).map(|()| match end.input.held() {
            0 => Came { flags: HANGUP, ..nothing },
            bytes => Came { bytes: bytes as u64, ..nothing },
        }),
        Wanted::Write(Socket::Listener(_)) => Poll::Ready(Came { error: Errno::NotConnected as u16, ..nothing }),
        Wanted::Write(Socket::Connection(end)) => end.output.poll_room(cx).map(|room| match room {
            Ok(room) => Came { bytes: room as u64, ..nothing },
            Err(_) => Came { flags: HANGUP, ..nothing },
        }),
    };
    match ready {
        Poll::Ready(came) => Some(came),
        Poll::Pending => None,
    }
}

/// Writes an event for each that came.
fn tell(memory: &mut [u8], wanted: &[Subscription], is_timeout: bool, events: u32, out: u32) -> Result<(), Errno> {
    let earliest = earliest(wanted);
    let mut count = 0;
    for one in wanted {
        let came = match one.wanted {
            Wanted::After(time) => (is_timeout && Some(time) == earliest).then_some(Came { error: 0, bytes: 0, flags: 0 }),
            _ => came(&one.wanted, &Context::from_waker(Waker::noop())),
        };
        let Some(came) = came else { continue };
        let mut event = [0; EVENT_BYTES as usize];
        let head = one.user.into_iter().chain(came.error.to_le_bytes()).chain([one.kind, 0, 0, 0, 0, 0]);
        let tail = came.bytes.to_le_bytes().into_iter().chain(came.flags.to_le_bytes());
        event.iter_mut().zip(head.chain(tail)).for_each(|(place, byte)| *place = byte);
        put(memory, entry(events, EVENT_BYTES, count)?, &event)?;
        count += 1;
    }
    put(memory, out, &count.to_le_bytes())
}
