//! Where only code of ours reads what a user sent, the process locks itself: files by Landlock, everything else by a filter of
//! system calls. This needs no program and works on a bare machine.

use super::syscalls::{self, Whose};
use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, path_beneath_rules,
};
use std::{io, path::Path};

/// Version of Landlock that is asked for; an older kernel gives what it has.
const ABI_ASKED: ABI = ABI::V5;

/// Locks this process, before it has threads: it may read and write below the given folders alone, start nothing, and open no
/// connection. A kernel without Landlock leaves the filter.
///
/// # Errors
/// When the filter cannot be installed.
pub(crate) fn lock_self(readable: &[&Path], writable: &[&Path]) -> io::Result<()> {
    let ruleset = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI_ASKED))?
            .create()?
            .add_rules(path_beneath_rules(readable, AccessFs::from_read(ABI_ASKED)))?
            .add_rules(path_beneath_rules(writable, AccessFs::from_all(ABI_ASKED)))?
            .restrict_self()
    };
    ruleset().map_err(io::Error::other)?;
    seccompiler::apply_filter(&syscalls::filter(Whose::Ours)?).map_err(io::Error::other)
}
