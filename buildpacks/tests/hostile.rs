//! Builds that want out: what they try fails, the push says why, and nobody else notices.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod harness;

use harness::Platform;
use std::{fs, time::Duration};
use virga_buildpacks::StagingLimits;
use virga_contract::staging::{Stager as _, StagingError, StagingErrorKind};
use virga_model::AppGuid;

/// Runs a script as the compile phase of a buildpack.
async fn tried(platform: &Platform, script: &str) -> Result<(), StagingError> {
    let evil = platform.buildpack("evil", &[("compile", script)]).await;
    let request = platform.custom(&[("index.html", b"")], &[evil]).await;
    platform.service.stage(request).await.map(|_| ())
}

/// A script of lines `name|attempt`: each attempt must fail.
async fn all_fail(platform: &Platform, attempts: &[(&str, String)]) {
    let lines = attempts.iter().map(|(name, attempt)| format!("( {attempt} ) >/dev/null 2>&1 && echo \"BROKE OUT: {name}\"\n"));
    let script = lines.collect::<String>() + "echo tried all; touch \"$1/index.html\"";
    tried(platform, &script).await.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    let said = platform.lines.text();
    assert!(said.contains("tried all") && !said.contains("BROKE OUT"), "{said}");
}

fn processes_with(marker: &str) -> usize {
    let commands = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    commands.filter(|command| String::from_utf8_lossy(command).contains(marker)).count()
}

#[tokio::test]
async fn nothing_of_the_platform_is_in_reach() {
    let platform = Platform::new();
    let secret = platform.data_dir().join("secret");
    fs::create_dir_all(platform.data_dir()).unwrap();
    fs::write(&secret, "hunter2").unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = std::os::unix::net::SocketAddr::from_pathname(platform.data_dir().join("api.sock")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    let name = format!("virga-test-{}", AppGuid::random());
    let hidden = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name).unwrap();
    let _hidden = std::os::unix::net::UnixListener::bind_addr(&hidden).unwrap();
    let data = platform.data_dir().display().to_string();
    let home = std::env::var("HOME").unwrap();
    assert!(fs::read_dir(&home).unwrap().flatten().any(|entry| entry.path().is_file()), "nothing to find in {home}");
    all_fail(
        &platform,
        &[
            ("the data folder", format!("ls {data}")),
            ("a home", format!("[ -n \"$(find {home} -maxdepth 1 -type f)\" ] || ls {home}/.ssh {home}/.cache")),
            ("shadow", "cat /etc/shadow".into()),
            ("the machine's runtime folder", "ls /run || ls /var/run".into()),
            ("other processes", "[ $(ls /proc | grep -c '^[0-9]') -gt 30 ]".into()),
            ("the platform's environment", "cat /proc/*/environ | tr '\\0' '\\n' | grep -E '^(CARGO_MANIFEST|RUSTUP|VIRGA)_'".into()),
            ("a port of the machine", format!("exec 3<>/dev/tcp/127.0.0.1/{}", port.local_addr().unwrap().port())),
            ("a socket", format!("python3 -c \"import socket; socket.socket(socket.AF_UNIX).connect('{data}/api.sock')\"")),
            ("an abstract socket", format!("python3 -c \"import socket; socket.socket(socket.AF_UNIX).connect('\\\\0{name}')\"")),
            ("a packet socket", "python3 -c \"import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\"".into()),
            ("the machine's hypervisor", "python3 -c \"import socket; socket.socket(40, socket.SOCK_STREAM)\"".into()),
        ],
    )
    .await;
    assert_eq!(fs::read(&secret).unwrap(), b"hunter2");
}

#[tokio::test]
async fn nothing_of_the_machine_can_be_changed() {
    let platform = Platform::new();
    all_fail(
        &platform,
        &[
            ("a program of the system", "touch /usr/bin/mine".into()),
            ("the root", "touch /mine || mkdir /mine".into()),
            ("devices", "touch /dev/mine || mknod /tmp/disk b 8 0".into()),
            ("the kernel's settings", "exec 3>>/proc/sys/kernel/core_pattern".into()),
            ("sysrq", "[ -w /proc/sysrq-trigger ]".into()),
            ("a user namespace", "unshare -U true".into()),
            ("a mount", "mount -t tmpfs none /tmp".into()),
            ("another root", "chroot /staging true".into()),
            ("tracing", "python3 -c \"import ctypes,sys; sys.exit(ctypes.CDLL(None).ptrace(16, 1, 0, 0) != 0)\"".into()),
            ("the keys", "python3 -c \"import ctypes,sys; sys.exit(ctypes.CDLL(None).syscall(250, 0, -3, 0) < 0)\"".into()),
            ("memory of nobody", "python3 -c \"import os; os.memfd_create('x')\"".into()),
            ("the sandbox's first process", "kill -9 1 && false || [ -w /proc/1/mem ] && exec 3>/proc/1/mem".into()),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_build_without_end_is_stopped_with_all_that_hides() {
    let platform = Platform::new();
    let marker = format!("1000{}", std::process::id());
    let script = format!("(setsid sleep {marker} &) ; (trap '' TERM INT HUP; sleep {marker}) & echo waiting; sleep {marker}");
    let evil = platform.buildpack("evil", &[("compile", &script)]).await;
    let mut request = platform.custom(&[("index.html", b"")], &[evil]).await;
    request.timeout = Duration::from_secs(4);
    let error = platform.service.stage(request).await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::TimeExpired, "{error}");
    assert!(error.message.contains("not done after 4 seconds"), "{error}");
    while processes_with(&marker) > 0 {
        tokio::task::yield_now().await;
    }
    // What follows is staged as ever.
    tried(&platform, "true").await.unwrap();
    assert_eq!(platform.scratch_folders(), 0);
}

#[tokio::test]
async fn a_fork_bomb_stays_in_its_box() {
    let platform = Platform::with(StagingLimits { processes: 40, ..StagingLimits::default() });
    let error = tried(&platform, "f() { f | f & sleep 100; }; f; sleep 100").await.unwrap_err();
    assert_eq!(error.kind, StagingErrorKind::InsufficientResources, "{error}");
    assert!(error.message.contains("more than 40 processes"), "{error}");
    tried(&platform, "true").await.unwrap();
}

#[tokio::test]
async fn memory_and_disk_end_where_they_should() {
    let platform = Platform::new();
    let eat = platform.buildpack("evil", &[("compile", "python3 -c \"x = b'x' * (900 << 20); import time; time.sleep(300)\"")]).await;
    let mut request = platform.custom(&[("index.html", b"")], &[eat]).await;
    request.memory_mb = 512;
    let error = platform.service.stage(request).await.unwrap_err();
    assert!(error.message.contains("more than its 512 MB of memory"), "{error}");

    for folder in ["/staging", "/tmp", "/dev/shm"] {
        let script = format!("head -c 200000000 /dev/zero > {folder}/fill; sleep 300");
        let fill = platform.buildpack("evil", &[("compile", &script)]).await;
        let mut request = platform.custom(&[("index.html", b"")], &[fill]).await;
        request.disk_mb = 100;
        let error = platform.service.stage(request).await.unwrap_err();
        assert!(error.message.contains("more than its 100 MB of disk"), "{folder}: {error}");
    }
    // Deeper than a path may be long, and closed: it cannot be measured, so it is too much.
    let deep = "mkdir d; cd d; for i in $(seq 1 600); do mkdir ddddddddddddddd; cd ddddddddddddddd; done; head -c 1000000 /dev/zero > f; sleep 300";
    assert!(tried(&platform, &format!("cd /staging; {deep}")).await.unwrap_err().message.contains("of disk"));
    assert_eq!(platform.scratch_folders(), 0);
}

#[tokio::test]
async fn links_and_lies_lead_nowhere() {
    let platform = Platform::new();
    let secret = platform.data_dir().join("secret");
    fs::create_dir_all(platform.data_dir()).unwrap();
    fs::write(&secret, "hunter2").unwrap();
    let target = secret.display();
    // Where the platform would read its result, and where it writes for the next step.
    let result = format!("rm -rf /staging/work; mkdir -p /staging/work; ln -s {target} /staging/work/result.json");
    tried(&platform, &result).await.unwrap_err();
    let next = format!(
        "for name in request.json sandbox.json etc/passwd; do ln -sf {target} /staging/$name; done; ln -sf {target} \"$1/index.html\""
    );
    tried(&platform, &next).await.unwrap_err();
    assert_eq!(fs::read(&secret).unwrap(), b"hunter2");
    let droplets = walkdir::WalkDir::new(platform.data_dir().join("../blobs")).into_iter().flatten();
    let leaked = droplets.filter_map(|entry| fs::read(entry.path()).ok()).any(|bytes| bytes.windows(7).any(|window| window == b"hunter2"));
    assert!(!leaked);
    let lie = "printf '{\"Staged\":{}}' > /staging/work/result.json; kill -9 $PPID; sleep 300";
    tried(&platform, lie).await.unwrap_err();
    assert_eq!(platform.scratch_folders(), 0);
}

#[tokio::test]
async fn an_apps_cache_is_its_own() {
    let mut platform = Platform::new();
    tried(&platform, "echo poison > /cache/buildpacks/poison; echo poison > \"$2/poison\"").await.unwrap();
    tried(&platform, "[ -f /cache/buildpacks/poison ] && echo kept").await.unwrap();
    assert!(platform.lines.text().contains("kept"));
    platform.app = AppGuid::random();
    let found = tried(&platform, "find /cache -name poison | grep -q . && exit 7; true").await;
    assert!(found.is_ok(), "{found:?}");
}

#[tokio::test]
async fn only_registries_are_let_through() {
    let platform = Platform::new();
    let script = r#"
[ -z "$HTTPS_PROXY" ] && exit 5
for host in 169.254.169.254:80 127.0.0.1:22 localhost:443 metadata.internal:80 example.com:443; do
  exec 3<>/dev/tcp/127.0.0.1/3128
  printf 'CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n' $host $host >&3
  read -r answer <&3; echo "$host: $answer"; exec 3>&-
done
exec 3<>/dev/tcp/127.0.0.1/3128
printf 'GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3
read -r answer <&3; echo "plain: $answer"
"#;
    tried(&platform, script).await.unwrap_or_else(|error| panic!("{error}\n{}", platform.lines.text()));
    let said = platform.lines.text();
    let answers: Vec<&str> = said.lines().filter(|line| line.contains("HTTP/1.1")).collect();
    assert_eq!(answers.len(), 6, "{said}");
    assert!(answers.iter().all(|answer| answer.contains("403 Forbidden")), "{said}");
    assert!(said.contains("The build may not reach example.com:443"), "{said}");
}
