//! A running platform under test.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// Password of the admin in every test.
pub const ADMIN_PASSWORD: &str = "test-admin-password";

/// One platform: a control process, its workers, a data folder that goes with it.
pub struct Platform {
    control: Option<Child>,
    data: tempfile::TempDir,
    listen: String,
    workers: u32,
    settings: Vec<(&'static str, String)>,
    /// What `virga up --output json` said.
    pub ready: Value,
    http: reqwest::Client,
}

/// What a push is given besides the folder.
#[derive(Default)]
pub struct Push<'a> {
    /// Further flags, as `cf push` has them.
    pub flags: &'a [&'a str],
}

/// What a finished command said.
#[derive(Debug)]
pub struct Output {
    /// Exit code.
    pub code: Option<i32>,
    /// Standard output and standard error, in that order.
    pub text: String,
}

impl Platform {
    /// Starts a platform with this many workers on a free port of the loopback address.
    ///
    /// # Errors
    /// When it does not come up, with what it printed.
    pub async fn start(workers: u32) -> anyhow::Result<Self> {
        Self::start_with(workers, Vec::new()).await
    }

    /// The same with settings, as `VIRGA_…` variables.
    ///
    /// # Errors
    /// As [`Platform::start`].
    pub async fn start_with(workers: u32, settings: Vec<(&'static str, String)>) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let listen = listener.local_addr()?.to_string();
        drop(listener);
        let mut platform = Self {
            control: None,
            data: tempfile::Builder::new().prefix("virga-").tempdir()?,
            listen,
            workers,
            settings,
            ready: Value::Null,
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?,
        };
        platform.start_control().await?;
        Ok(platform)
    }

    /// Starts the control process again on the same folder and port.
    ///
    /// # Errors
    /// When it does not say that it is ready within a minute.
    pub async fn start_control(&mut self) -> anyhow::Result<()> {
        let mut child = Command::new(binary()?)
            .args(["up", "--output", "json", "--listen", &self.listen, "--workers", &self.workers.to_string()])
            .arg("--data-dir")
            .arg(self.data.path())
            .env("VIRGA_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env_remove("VIRGA_TEST_POSTGRES_URL")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::options().create(true).append(true).open(self.log_file())?)
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        let Ok(Ok(Some(line))) = line else {
            bail!("the platform did not come up: {}", std::fs::read_to_string(self.log_file()).unwrap_or_default());
        };
        self.ready = serde_json::from_str(&line).with_context(|| format!("not a line of JSON: {line}"))?;
        self.control = Some(child);
        Ok(())
    }

    /// Where the platform's own log goes.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.data.path().join("up.log")
    }

    /// Where the command line keeps its session.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.data.path()
    }

    /// Address and port of the platform.
    #[must_use]
    pub fn listen(&self) -> &str {
        &self.listen
    }

    /// The API at the bare address.
    #[must_use]
    pub fn api(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The control process's id.
    #[must_use]
    pub fn control_pid(&self) -> Option<u32> {
        self.control.as_ref().and_then(Child::id)
    }

    /// Ids of the living workers of this platform, found by their command line as an operator would.
    ///
    /// # Errors
    /// When the process table cannot be read.
    pub fn worker_pids(&self) -> anyhow::Result<Vec<u32>> {
        self.pids_of("worker")
    }

    /// Id of the process that holds the data of the platform's services.
    ///
    /// # Errors
    /// When there is none, or the process table cannot be read.
    pub fn services_pid(&self) -> anyhow::Result<u32> {
        self.pids_of("services")?.first().copied().context("no process holds the services")
    }

    fn pids_of(&self, role: &str) -> anyhow::Result<Vec<u32>> {
        let data = self.data.path().to_string_lossy().into_owned();
        let mut pids = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            if command.contains(&data) && command.contains(&format!("virga {role} ")) {
                pids.push(pid);
            }
        }
        pids.sort_unstable();
        Ok(pids)
    }

    /// Kills a process of this platform at once, as a crash would.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill(&self, pid: u32) -> anyhow::Result<()> {
        signal(pid, rustix::process::Signal::KILL)
    }

    /// `kill -9` of the control process, and waits until it is gone; workers stay.
    ///
    /// # Errors
    /// When it was not running.
    pub async fn kill_control(&mut self) -> anyhow::Result<()> {
        let mut child = self.control.take().context("not running")?;
        child.start_kill()?;
        child.wait().await?;
        Ok(())
    }

    /// Asks the control process to stop and gives its exit code once it has.
    ///
    /// # Errors
    /// When it has not ended within half a minute.
    pub async fn stop(&mut self) -> anyhow::Result<Option<i32>> {
        let mut child = self.control.take().context("not running")?;
        signal(child.id().context("already ended")?, rustix::process::Signal::TERM)?;
        let status = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.context("it did not stop")??;
        Ok(status.code())
    }

    /// Runs a `virga` command as a user who has logged in would.
    ///
    /// # Errors
    /// When it cannot be run or takes more than five minutes; a failing code is for the caller to judge.
    pub async fn virga(&self, args: &[&str]) -> anyhow::Result<Output> {
        let run = Command::new(binary()?)
            .args(args)
            .env("VIRGA_HOME", self.data.path())
            .env("VIRGA_PASSWORD", ADMIN_PASSWORD)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(Duration::from_secs(300), run).await.with_context(|| format!("virga {args:?} hangs"))??;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(Output { code: output.status.code(), text })
    }

    /// Runs a `virga` command that must succeed, and gives what it printed.
    ///
    /// # Errors
    /// When it fails, with its output and the end of the platform's log.
    pub async fn ok(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.virga(args).await?;
        ensure!(output.code == Some(0), "virga {args:?} ended with {:?}:\n{}\n{}", output.code, output.text, self.log_tail());
        Ok(output.text)
    }

    /// Logs in as admin, to the organization and space that the platform made.
    ///
    /// # Errors
    /// When the login is refused.
    pub async fn login(&self) -> anyhow::Result<()> {
        self.ok(&["login", "-a", &self.api(), "-u", "admin", "-p", ADMIN_PASSWORD]).await.map(drop)
    }

    /// Pushes a sample of `tests/apps` under this name.
    ///
    /// # Errors
    /// When the push fails, with all it printed.
    pub async fn push(&self, name: &str, sample: &str, push: Push<'_>) -> anyhow::Result<String> {
        let folder = sample_folder(sample);
        let folder = folder.to_string_lossy();
        let mut args = vec!["push", name, "-p", &folder];
        args.extend_from_slice(push.flags);
        self.ok(&args).await
    }

    /// A request to the v3 API, with its answer as JSON; null where that is empty.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = body.to_string();
        let mut args = vec!["curl", path, "-X", method];
        if method != "GET" && method != "DELETE" {
            args.extend(["-d", body.as_str()]);
        }
        let answer: Value = serde_json::from_str(self.ok(&args).await?.trim()).unwrap_or(Value::Null);
        ensure!(answer.get("errors").is_none(), "{method} {path}: {answer}");
        Ok(answer)
    }

    /// Guid of the first resource of a list.
    ///
    /// # Errors
    /// When the list is empty or refused.
    pub async fn first_guid(&self, list: &str) -> anyhow::Result<String> {
        let page = self.ask("GET", list, &Value::Null).await?;
        let guid = page.pointer("/resources/0/guid").and_then(Value::as_str);
        Ok(guid.with_context(|| format!("{list}: {page}"))?.to_owned())
    }

    /// `GET path` of an app by its default route, with no DNS: the name travels in the `Host` header.
    ///
    /// # Errors
    /// When there is no answer at all.
    pub async fn get(&self, app: &str, path: &str) -> anyhow::Result<reqwest::Response> {
        let request = self.http.get(format!("{}{path}", self.api())).header("host", host_of(app));
        Ok(request.send().await?)
    }

    /// The body of a `GET` that must be answered with 200.
    ///
    /// # Errors
    /// When the answer is another, with its text.
    pub async fn get_ok(&self, app: &str, path: &str) -> anyhow::Result<String> {
        let answer = self.get(app, path).await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status == 200, "GET {path} of {app}: {status} {text}");
        Ok(text)
    }

    /// A client for requests of the test's own.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The last lines of the platform's log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(40)).copied().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Platform {
    /// Workers outlive a killed control process by design; a test must not leave them behind.
    fn drop(&mut self) {
        if let Some(mut child) = self.control.take() {
            drop(child.start_kill());
        }
        for pid in self.worker_pids().unwrap_or_default() {
            drop(self.kill(pid));
        }
    }
}

/// The host of an app's default route.
#[must_use]
pub fn host_of(app: &str) -> String {
    format!("{app}.apps.virga.localhost")
}

/// A folder of `tests/apps`.
#[must_use]
pub fn sample_folder(sample: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apps").join(sample)
}

/// The binary under test: `TESTED_VIRGA`, or the one built beside this test.
fn binary() -> anyhow::Result<PathBuf> {
    if let Ok(path) = std::env::var("TESTED_VIRGA") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let folder = test.ancestors().nth(2).context("the test binary stands in no target folder")?;
    let binary = folder.join("virga");
    ensure!(binary.exists(), "{} is not built: cargo build -p virga", binary.display());
    Ok(binary)
}

fn signal(pid: u32, signal: rustix::process::Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).context("not a process id")?;
    Ok(rustix::process::kill_process(pid, signal)?)
}
