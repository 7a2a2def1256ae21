//! What a process group uses, read from `/proc`. Resident memory is watched from outside because a limit on address space
//! would stop language engines, which reserve gigabytes they never touch.

use std::fs;

/// Use of one process group at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupUsage {
    pub(crate) processes: usize,
    /// Resident memory, bytes; pages shared between its processes count once in each.
    pub(crate) memory_bytes: u64,
}

/// Use of the group led by `leader`.
pub(crate) fn of_group(leader: u32) -> GroupUsage {
    let page = rustix::param::page_size() as u64;
    let Ok(entries) = fs::read_dir("/proc") else { return GroupUsage::default() };
    let mut usage = GroupUsage::default();
    for entry in entries.flatten() {
        if !entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        let Some((group, pages)) = fs::read_to_string(entry.path().join("stat")).ok().as_deref().and_then(parse_stat) else { continue };
        if group == leader {
            usage.processes += 1;
            usage.memory_bytes += pages * page;
        }
    }
    usage
}

/// Process group and resident pages (fields 5 and 24 of proc(5)); the name in field 2 may hold anything, so the fields are
/// counted from its closing parenthesis.
fn parse_stat(stat: &str) -> Option<(u32, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let group = fields.nth(2)?.parse().ok()?;
    let pages = fields.nth(18)?.parse().ok()?;
    Some((group, pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let stat = "42 (a) R 1 (b) S 1 77 77 0 -1 4194304 100 0 0 0 1 1 0 0 20 0 1 0 100 1000000 321 18446744073709551615 1 1";
        assert_eq!(parse_stat(stat), Some((77, 321)));
    }

    #[test]
    fn our_own_group_is_seen() {
        let group = rustix::process::getpgrp().as_raw_nonzero().get().unsigned_abs();
        assert!(of_group(group).processes >= 1 && of_group(group).memory_bytes > 0);
    }
}
