//! What a worker gives up before it touches anything of a guest: new privileges, other programs, other processes, the
//! kernel's administration. A guest that broke out of its sandbox would find itself here.

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// System calls a worker never needs, and a break-out would. Each is refused with `EPERM` rather than a kill, so that a
/// library that merely tries one goes on.
#[cfg(target_os = "linux")]
const REFUSED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_syslog,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_mknodat,
];

/// Gives all of it up, for this process and every thread it will start. Must run before threads exist.
pub fn apply() -> anyhow::Result<()> {
    no_core_dumps()?;
    let filter = SeccompFilter::new(
        REFUSED.iter().map(|&call| (call, Vec::new())).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        std::env::consts::ARCH.try_into().context("no system call filter for this processor")?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    // Sets PR_SET_NO_NEW_PRIVS first.
    seccompiler::apply_filter(&program).context("the system call filter cannot be installed")
}

/// A core dump would hold the memory of every tenant, and the platform's secrets.
pub fn no_core_dumps() -> anyhow::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).context("core dumps cannot be switched off")
}

/// Lets the process hold as many files and sockets as the system allows it.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit on open files stays at {:?}", limit.current);
    }
}

#[cfg(test)]
mod tests {
    /// In a process of its own, since what is given up does not come back.
    #[test]
    fn a_locked_process_cannot_start_programs() {
        const CHILD: &str = "VIRGA_TEST_LOCKED_DOWN";
        if std::env::var_os(CHILD).is_some() {
            std::thread::spawn(|| {
                super::apply().unwrap();
                let error = std::process::Command::new("/bin/true").status().unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            })
            .join()
            .unwrap();
            return;
        }
        let name = "worker::lockdown::tests::a_locked_process_cannot_start_programs";
        let status = std::process::Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(CHILD, "1").status();
        assert!(status.unwrap().success());
    }
}
