//! Every language the platform builds, from its sample: pushed with no flag but the name, asked, scaled, changed, given a task.

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::HashSet, time::Duration};
use virga_tests::{Platform, Push, Serves, host_of, lasting, lasts, sample_folder, until};

#[derive(Deserialize)]
struct Samples {
    sample: Vec<Sample>,
}

#[derive(Deserialize, Clone)]
struct Sample {
    folder: String,
    says: String,
    task: Option<String>,
    /// Requests of one wasm instance; absent where there is no end of them.
    serves: Option<usize>,
}

impl Sample {
    fn serves(&self) -> Serves {
        match self.serves {
            None => Serves::All,
            Some(1) => Serves::One,
            Some(least) => Serves::AtLeast(least),
        }
    }
}

fn sample(folder: &str) -> anyhow::Result<Sample> {
    let text = std::fs::read_to_string(sample_folder("samples.toml"))?;
    let samples: Samples = toml::from_str(&text)?;
    samples.sample.into_iter().find(|sample| sample.folder == folder).with_context(|| format!("{folder} is not in samples.toml"))
}

/// Twice as many requests as would do for every instance to be asked, were the choice among them fair.
const ASKED: u64 = 24;

async fn keeps_its_word(folder: &str) -> anyhow::Result<()> {
    let sample = sample(folder)?;
    let platform = Platform::start_with(1, lasting::settings()).await?;
    platform.login().await?;
    platform.push("app", &sample.folder, Push::default()).await?;
    let hello = platform.get_ok("app", "/").await?;
    ensure!(hello.starts_with(&sample.says), "GET / says {hello}");
    takes_and_gives_bodies(&platform).await?;
    let counted = lasts(&platform, "app", &sample.says, sample.serves()).await?;
    has_memory_and_randomness_of_its_own(&platform, counted).await?;
    let missing = platform.get("app", "/env/GREETING").await?.status();
    ensure!(missing == 404, "a variable that is not set: {missing}");

    platform.ok(&["set-env", "app", "GREETING", "good morning"]).await?;
    platform.ok(&["restart", "app"]).await?;
    let greeting = platform.get_ok("app", "/env/GREETING").await?;
    ensure!(greeting.trim_end() == "good morning", "the changed variable is {greeting:?}");
    until("a line of the app", Duration::from_secs(60), || async {
        let logs = platform.ok(&["logs", "app", "--recent"]).await?;
        ensure!(logs.lines().any(|line| line.contains("[APP/PROC/WEB/0] OUT") || line.contains("[APP/PROC/WEB/0] ERR")), "{logs}");
        Ok(())
    })
    .await?;
    if let Some(command) = &sample.task {
        runs_a_task(&platform, command).await?;
    }
    Ok(())
}

async fn takes_and_gives_bodies(platform: &Platform) -> anyhow::Result<()> {
    let sent: String = (0..1 << 20).map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap_or(0))).collect();
    let url = format!("{}/echo", platform.api());
    let request = platform.http().post(url).header("host", host_of("app")).header("content-type", "text/plain").body(sent.clone());
    let answer = request.send().await?;
    let (status, back) = (answer.status(), answer.text().await?);
    ensure!(status == 200, "POST /echo: {status} {}", back.chars().take(300).collect::<String>());
    ensure!(back == sent, "1 MiB came back as {} bytes", back.len());
    let stream = platform.get_ok("app", "/stream").await?;
    ensure!(stream.lines().filter(|line| !line.is_empty()).count() >= 3, "GET /stream gives {stream:?}");
    Ok(())
}

/// What was frozen at staging must not make two instances alike.
async fn has_memory_and_randomness_of_its_own(platform: &Platform, counted: u64) -> anyhow::Result<()> {
    platform.ok(&["scale", "app", "-i", "2"]).await?;
    until("two running instances", Duration::from_secs(120), || async {
        let shown = platform.ok(&["app", "app"]).await?;
        ensure!(shown.contains("2/2") && shown.matches("running").count() >= 2, "{shown}");
        Ok(())
    })
    .await?;
    let (mut random, mut counts) = (HashSet::new(), Vec::new());
    for _ in 0..ASKED {
        let drawn = platform.get_ok("app", "/random").await?.trim().to_owned();
        ensure!(drawn.len() >= 16 && drawn.bytes().all(|byte| byte.is_ascii_hexdigit()), "GET /random gives {drawn:?}");
        ensure!(random.insert(drawn.clone()), "{drawn} was drawn twice in {ASKED} times");
        counts.push(platform.get_ok("app", "/count").await?.trim().parse::<u64>()?);
    }
    // The first instance goes on where it was, the second begins.
    let is_own = |count: &u64| (1..=ASKED).contains(count) || (counted + 1..=counted + ASKED).contains(count);
    ensure!(counts.iter().all(is_own), "GET /count gives {counts:?} after {counted}");
    Ok(())
}

async fn runs_a_task(platform: &Platform, command: &str) -> anyhow::Result<()> {
    let app: Value = serde_json::from_str(&platform.ok(&["curl", "/v3/apps?names=app"]).await?)?;
    let guid = app.pointer("/resources/0/guid").and_then(Value::as_str).context("no app")?;
    let body = json!({ "command": command, "name": "job" }).to_string();
    let task = platform.ok(&["curl", &format!("/v3/apps/{guid}/tasks"), "-X", "POST", "-d", &body]).await?;
    let task: Value = serde_json::from_str(&task)?;
    let path = format!("/v3/tasks/{}", task.pointer("/guid").and_then(Value::as_str).with_context(|| task.to_string())?);
    let ended = until("the task's end", Duration::from_secs(120), || async {
        let shown: Value = serde_json::from_str(&platform.ok(&["curl", &path]).await?)?;
        let state = shown.pointer("/state").and_then(Value::as_str);
        ensure!(matches!(state, Some("SUCCEEDED" | "FAILED")), "{shown}");
        Ok(shown)
    })
    .await?;
    let logs = platform.ok(&["logs", "app", "--recent"]).await?;
    ensure!(ended.pointer("/state").and_then(Value::as_str) == Some("SUCCEEDED"), "{ended}\n{logs}");
    until("the task's line", Duration::from_secs(60), || async {
        let logs = platform.ok(&["logs", "app", "--recent"]).await?;
        ensure!(logs.lines().any(|line| line.contains("[APP/TASK/job/0]") && line.contains("task done")), "{logs}");
        Ok(())
    })
    .await
}

macro_rules! samples {
    ($($name:ident: $folder:literal;)+) => {
        $(
            #[tokio::test]
            async fn $name() -> anyhow::Result<()> {
                keeps_its_word($folder).await
            }
        )+

        /// A sample in the table that no test pushes would be a promise nobody keeps.
        #[test]
        fn every_sample_of_the_table_is_pushed() -> anyhow::Result<()> {
            let text = std::fs::read_to_string(sample_folder("samples.toml"))?;
            let listed: HashSet<String> = toml::from_str::<Samples>(&text)?.sample.into_iter().map(|sample| sample.folder).collect();
            let pushed: HashSet<String> = [$($folder.to_owned()),+].into();
            ensure!(listed == pushed, "only on one side: {:?}", listed.symmetric_difference(&pushed).collect::<Vec<_>>());
            Ok(())
        }
    };
}

samples! {
    javascript_hono: "javascript-hono";
    javascript_express: "javascript-express";
    typescript_fastify: "typescript-fastify";
    python_flask: "python-flask";
    python_fastapi: "python-fastapi";
    python_starlette: "python-starlette";
    python_django: "python-django";
    python_wsgi: "python-wsgi";
    go_http: "go-http";
    go_chi: "go-chi";
    rust_axum: "rust-axum";
    rust_wasi_http: "rust-wasi-http";
    ruby_sinatra: "ruby-sinatra";
    php_front_controller: "php-front-controller";
    java_httpserver: "java-httpserver";
    java_servlet: "java-servlet";
    java_jaxrs: "java-jaxrs";
    kotlin_httpserver: "kotlin-httpserver";
    scala_httpserver: "scala-httpserver";
    c_cgi: "c-cgi";
    c_http: "c-http";
    cpp_cmake: "cpp-cmake";
    lua_wsapi: "lua-wsapi";
    zig_cgi: "zig-cgi";
    assemblyscript_cgi: "assemblyscript-cgi";
    perl_psgi: "perl-psgi";
    perl_cgi: "perl-cgi";
}
