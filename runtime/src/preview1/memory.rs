//! What a call finds and leaves in the guest's memory. Every address is the guest's word and may be wrong.

use std::ops::Range;

/// Pieces of one read or write, at most; as many as other systems take.
const MOST_PIECES: u32 = 1024;

/// Error numbers of WASI 0.1, as far as they are ours to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Errno {
    Again = 6,
    BadDescriptor = 8,
    ConnectionReset = 15,
    Fault = 21,
    Invalid = 28,
    NotDirectory = 54,
    NotConnected = 53,
    NotSupported = 58,
    BrokenPipe = 64,
    NotSeekable = 70,
}

/// What a call gives back to the guest.
pub(super) type Answer = Result<(), Errno>;

pub(super) fn number(answer: Answer) -> i32 {
    answer.err().map_or(0, |error| i32::from(error as u16))
}

/// A number of the guest's as it was meant: addresses, lengths and descriptors have no sign.
pub(super) fn unsigned(number: i32) -> u32 {
    u32::from_ne_bytes(number.to_ne_bytes())
}

fn range(at: u32, length: usize) -> Option<Range<usize>> {
    let start = usize::try_from(at).ok()?;
    Some(start..start.checked_add(length)?)
}

pub(super) fn bytes<const SIZE: usize>(memory: &[u8], at: u32) -> Result<[u8; SIZE], Errno> {
    range(at, SIZE).and_then(|range| memory.get(range)?.try_into().ok()).ok_or(Errno::Fault)
}

pub(super) fn put(memory: &mut [u8], at: u32, bytes: &[u8]) -> Answer {
    let place = range(at, bytes.len()).and_then(|range| memory.get_mut(range)).ok_or(Errno::Fault)?;
    place.copy_from_slice(bytes);
    Ok(())
}

pub(super) fn u32_at(memory: &[u8], at: u32) -> Result<u32, Errno> {
    bytes(memory, at).map(u32::from_le_bytes)
}

/// Address of the entry of this number in a list of the guest's.
pub(super) fn entry(list: u32, size: u32, number: u32) -> Result<u32, Errno> {
    number.checked_mul(size).and_then(|offset| list.checked_add(offset)).ok_or(Errno::Fault)
}

/// The pieces of memory that a list of `iovec` names, each within memory.
pub(super) fn pieces(memory: &[u8], list: u32, count: u32) -> Result<Vec<Range<usize>>, Errno> {
    if count > MOST_PIECES {
        return Err(Errno::Invalid);
    }
    let piece = |number| {
        let at = entry(list, 8, number)?;
        let (start, length) = (u32_at(memory, at)?, u32_at(memory, entry(at, 4, 1)?)?);
        let piece = usize::try_from(length).ok().and_then(|length| range(start, length)).ok_or(Errno::Fault)?;
        memory.get(piece.clone()).map(|_| piece).ok_or(Errno::Fault)
    };
    (0..count).map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_of_memory_is_touched() {
        let mut memory = [0_u8; 32];
        put(&mut memory, 0, &[16, 0, 0, 0, 4, 0, 0, 0, 30, 0, 0, 0, 2, 0, 0, 0]).unwrap();
        assert_eq!(pieces(&memory, 0, 2).unwrap(), [16..20, 30..32]);
        put(&mut memory, 12, &[3]).unwrap();
        assert_eq!(pieces(&memory, 0, 2), Err(Errno::Fault));
        assert_eq!(pieces(&memory, 28, 1), Err(Errno::Fault));
        assert_eq!(pieces(&memory, u32::MAX - 3, 2), Err(Errno::Fault));
        assert_eq!(pieces(&memory, 0, MOST_PIECES + 1), Err(Errno::Invalid));
        assert_eq!(put(&mut memory, 30, &[1, 2, 3]), Err(Errno::Fault));
        assert_eq!(put(&mut memory, u32::MAX, &[1]), Err(Errno::Fault));
        assert_eq!(memory[30], 0);
        assert_eq!(number(Err(Errno::Fault)), 21);
    }
}
