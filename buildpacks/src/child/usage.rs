//! What a child and everything it started use, read from `/proc`. Resident memory is watched from outside because a limit on
//! address space would stop language engines, which reserve gigabytes they never touch.

use std::{collections::HashSet, fs};

/// Use of a child at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) processes: usize,
    /// Resident memory, bytes; pages shared between its processes count once in each.
    pub(crate) memory_bytes: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Process {
    id: u32,
    parent: u32,
    group: u32,
    pages: u64,
}

/// Use of a child that leads a process group: of the group, and of everything that descends from it. In a sandbox nothing gets out
/// of that: an orphan there becomes a child of the sandbox's first process.
pub(crate) fn of_child(leader: u32) -> Usage {
    let processes = processes();
    let mut family: HashSet<u32> =
        processes.iter().filter(|process| process.group == leader || process.id == leader).map(|process| process.id).collect();
    loop {
        let before = family.len();
        for process in &processes {
            if family.contains(&process.parent) {
                family.insert(process.id);
            }
        }
        if family.len() == before {
            break;
        }
    }
    let page = rustix::param::page_size() as u64;
    let members = processes.iter().filter(|process| family.contains(&process.id));
    members.fold(Usage::default(), |usage, process| Usage {
        processes: usage.processes + 1,
        memory_bytes: usage.memory_bytes.saturating_add(process.pages.saturating_mul(page)),
    })
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let id = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    entries.filter_map(|entry| parse_stat(id(&entry)?, &fs::read_to_string(entry.path().join("stat")).ok()?)).collect()
}

/// Parent, process group and resident pages (fields 4, 5 and 24 of proc(5)); the name in field 2 may hold anything, so the fields
/// are counted from its closing parenthesis.
fn parse_stat(id: u32, stat: &str) -> Option<Process> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let pages = fields.nth(18)?.parse().ok()?;
    Some(Process { id, parent, group, pages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let stat = "42 (a) R 1 (b) S 1 77 77 0 -1 4194304 100 0 0 0 1 1 0 0 20 0 1 0 100 1000000 321 18446744073709551615 1 1";
        assert_eq!(parse_stat(42, stat), Some(Process { id: 42, parent: 1, group: 77, pages: 321 }));
    }

    #[test]
    fn our_own_group_is_seen() {
        let group = rustix::process::getpgrp().as_raw_nonzero().get().unsigned_abs();
        assert!(of_child(group).processes >= 1 && of_child(group).memory_bytes > 0);
    }
}
