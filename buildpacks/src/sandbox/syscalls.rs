//! The system calls that no build needs, and a break-out would. They answer `ENOSYS`, as a kernel without them: tools that
//! merely try one (io_uring, clone3) have another way then.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition, SeccompFilter, SeccompRule,
};
use std::{collections::BTreeMap, io};

/// Refused to everything that works on what users sent.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    // Its flags lie in memory, where a filter cannot see a new namespace; without it libraries use clone.
    libc::SYS_clone3,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_mknodat,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // Memory that belongs to no process is seen by no watch.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
];
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[libc::c_long] = &[libc::SYS_mknod, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[libc::c_long] = &[];

/// Refused besides where only code of ours runs: it starts no program and opens no connection.
const REFUSED_TO_OURS: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_TO_OURS_HERE: &[libc::c_long] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_TO_OURS_HERE: &[libc::c_long] = &[];

/// Namespaces that `clone` would make.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];
/// Families of sockets; others (vsock, packets, the kernel's ciphers) are not held by a network namespace or needed by no build.
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// On x86-64, the same calls have a second number.
const SECOND_NUMBER: i64 = 0x4000_0000;

/// Whose code runs under a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Only ours, on files of users.
    Ours,
    /// Programs and scripts of users.
    Users,
}

/// The filter.
///
/// # Errors
/// For a processor that the library does not know.
pub(crate) fn filter(whose: Whose) -> io::Result<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in REFUSED.iter().chain(REFUSED_HERE) {
        rules.insert(*call, Vec::new());
    }
    if whose == Whose::Ours {
        rules.extend(REFUSED_TO_OURS.iter().chain(REFUSED_TO_OURS_HERE).map(|call| (*call, Vec::new())));
    }
    let mut clone = Vec::new();
    for flag in NAMESPACES {
        let flag = u64::from(flag.unsigned_abs());
        clone.push(rule(vec![condition(0, Len::Qword, Op::MaskedEq(flag), flag)?])?);
    }
    if whose == Whose::Ours {
        let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
        clone.push(rule(vec![condition(0, Len::Qword, Op::MaskedEq(thread), 0)?])?);
    }
    rules.insert(libc::SYS_clone, clone);
    if whose == Whose::Users {
        let others = FAMILIES.map(|family| condition(0, Len::Dword, Op::Ne, u64::from(family.unsigned_abs())));
        rules.insert(libc::SYS_socket, vec![rule(others.into_iter().collect::<io::Result<_>>()?)?]);
    }
    // Typing into somebody's terminal.
    rules.insert(libc::SYS_ioctl, vec![rule(vec![condition(1, Len::Dword, Op::Eq, libc::TIOCSTI)?])?]);
    if cfg!(target_arch = "x86_64") {
        let second: Vec<_> = rules.iter().map(|(call, rules)| (call | SECOND_NUMBER, rules.clone())).collect();
        rules.extend(second);
    }
    let architecture = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, missing, architecture).map_err(io::Error::other)?;
    filter.try_into().map_err(io::Error::other)
}

fn condition(argument: u8, length: Len, op: Op, value: u64) -> io::Result<Condition> {
    Condition::new(argument, length, op, value).map_err(io::Error::other)
}

fn rule(conditions: Vec<Condition>) -> io::Result<SeccompRule> {
    SeccompRule::new(conditions).map_err(io::Error::other)
}

/// The filter as the kernel takes it, for a program that installs it.
pub(crate) fn bytes(program: &BpfProgram) -> Vec<u8> {
    let instruction = |one: &seccompiler::sock_filter| {
        let [code_low, code_high] = one.code.to_ne_bytes();
        let [a, b, c, d] = one.k.to_ne_bytes();
        [code_low, code_high, one.jt, one.jf, a, b, c, d]
    };
    program.iter().flat_map(instruction).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_filters_are_programs_the_kernel_takes() {
        for whose in [Whose::Ours, Whose::Users] {
            let program = filter(whose).unwrap();
            assert_eq!(bytes(&program).len(), program.len() * 8);
            // BPF_MAXINSNS
            assert!(program.len() < 4096, "{}", program.len());
        }
    }
}
