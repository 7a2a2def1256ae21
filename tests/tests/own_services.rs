//! The platform's own services, used by apps in four languages that have no credential.

use anyhow::{Context as _, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::{future::Future, time::Duration};
use virga_tests::{Platform, Push, built_by_go, host_of, until};

const WAIT: Duration = Duration::from_secs(60);

/// Waits for the first of a list's operation to end well.
async fn done(platform: &Platform, list: &str) -> anyhow::Result<String> {
    until(list, WAIT, async || {
        let page = platform.ask("GET", list, &Value::Null).await?;
        let (guid, state) = (page.pointer("/resources/0/guid"), page.pointer("/resources/0/last_operation/state"));
        ensure!(state.and_then(Value::as_str) == Some("succeeded"), "{page}");
        Ok(guid.and_then(Value::as_str).unwrap_or_default().to_owned())
    })
    .await
}

fn to(guid: &str) -> Value {
    json!({ "data": { "guid": guid } })
}

/// Kills the process of the services, and waits for the next one.
async fn kill_services(platform: &Platform) -> anyhow::Result<()> {
    let pid = platform.services_pid()?;
    platform.kill(pid)?;
    until("the next process of the services is started", WAIT, async || {
        ensure!(platform.services_pid()? != pid);
        Ok(())
    })
    .await
}

/// An instance of one of the platform's offerings.
async fn create(platform: &Platform, offering: &str, parameters: Value) -> anyhow::Result<String> {
    // The broker's catalog is read after the start.
    let plan = until("the plan is offered", WAIT, || {
        let list = format!("/v3/service_plans?service_offering_names={offering}&names=small");
        async move { platform.first_guid(&list).await }
    });
    let (plan, space) = (plan.await?, platform.first_guid("/v3/spaces?names=dev").await?);
    let name = format!("my-{offering}");
    let body = json!({
        "type": "managed", "name": name, "parameters": parameters,
        "relationships": { "space": to(&space), "service_plan": to(&plan) },
    });
    platform.ask("POST", "/v3/service_instances", &body).await?;
    done(platform, &format!("/v3/service_instances?names={name}")).await
}

async fn bind(platform: &Platform, app: &str, instance: &str) -> anyhow::Result<String> {
    let app = platform.first_guid(&format!("/v3/apps?names={app}")).await?;
    let body = json!({ "type": "app", "relationships": { "app": to(&app), "service_instance": to(instance) } });
    platform.ask("POST", "/v3/service_credential_bindings", &body).await?;
    done(platform, &format!("/v3/service_credential_bindings?app_guids={app}&service_instance_guids={instance}")).await
}

/// Sends a request to an app.
async fn send(platform: &Platform, app: &str, method: Method, path: &str, body: &str) -> anyhow::Result<(StatusCode, String)> {
    let url = format!("http://{}{path}", platform.listen());
    let answer = platform.http().request(method, url).header("host", host_of(app)).body(body.to_owned()).send().await?;
    Ok((answer.status(), answer.text().await?))
}

async fn sent(platform: &Platform, app: &str, method: Method, path: &str, body: &str) -> anyhow::Result<String> {
    let (status, text) = send(platform, app, method.clone(), path, body).await?;
    ensure!(status.is_success(), "{method} {path} of {app}: {status} {text}");
    Ok(text)
}

/// Waits until the app answers so.
async fn until_answered<F: Future<Output = anyhow::Result<(StatusCode, String)>>>(
    what: &str,
    status: StatusCode,
    probe: impl Fn() -> F,
) -> anyhow::Result<String> {
    until(what, WAIT, async || {
        let (answered, text) = probe().await?;
        ensure!(answered == status, "{answered} {text}");
        Ok(text)
    })
    .await
}

#[tokio::test]
async fn apps_in_four_languages_use_services_without_a_credential() -> anyhow::Result<()> {
    let mut platform = Platform::start(1).await?;
    platform.login().await?;
    let motto = json!({ "values": { "motto": "slow and steady" } });
    let (keys, notes) = (create(&platform, "keyvalue", json!({})).await?, create(&platform, "sqlite", json!({})).await?);
    let values = create(&platform, "config", motto).await?;
    let apps = ["services-nodejs", "services-python", "services-go", "services-rust"];
    for app in apps {
        platform.push(app, app, Push::default()).await?;
        for instance in [&keys, &notes, &values] {
            bind(&platform, app, instance).await?;
        }
        platform.ok(&["restart", app]).await?;
    }
    for (turn, app) in apps.into_iter().enumerate() {
        let hits = sent(&platform, app, Method::POST, "/hits", "").await?;
        ensure!(hits.trim() == (turn + 1).to_string(), "{app}: {hits}");
        sent(&platform, app, Method::PUT, "/keys/of/app", app).await?;
        ensure!(sent(&platform, app, Method::GET, "/keys/of/app", "").await? == app, "{app}");
        ensure!(sent(&platform, app, Method::POST, "/notes", &format!("it's {app}")).await?.trim() == (turn + 1).to_string(), "{app}");
        ensure!(sent(&platform, app, Method::GET, "/motto", "").await? == "slow and steady", "{app}");
    }
    let expected = json!(apps.map(|app| format!("it's {app}")));
    for app in apps {
        let notes: Value = serde_json::from_str(&sent(&platform, app, Method::GET, "/notes", "").await?)?;
        ensure!(notes == expected, "{app}: {notes}");
    }

    // What is in the guest's hands opens nothing.
    let app = platform.first_guid("/v3/apps?names=services-go").await?;
    let shown = platform.ask("GET", &format!("/v3/apps/{app}/env"), &Value::Null).await?;
    let credentials = shown.pointer("/system_env_json/VCAP_SERVICES/keyvalue/0/credentials").context("no credentials")?;
    let names: Vec<_> = credentials.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    ensure!(names == ["url"], "{credentials}");

    // A configuration changes under the running app.
    let changed = json!({ "parameters": { "values": { "motto": "fast" } } });
    platform.ask("PATCH", &format!("/v3/service_instances/{values}"), &changed).await?;
    until("the new value", WAIT, async || {
        let motto = sent(&platform, "services-go", Method::GET, "/motto", "").await?;
        ensure!(motto == "fast", "{motto}");
        Ok(())
    })
    .await?;

    // A request that comes before the next process of the data listens waits for it.
    kill_services(&platform).await?;
    ensure!(sent(&platform, "services-go", Method::POST, "/hits", "").await?.trim() == "5");

    // The data outlives the platform.
    platform.kill_control().await?;
    platform.start_control().await?;
    let hits =
        until_answered("the app has its data again", StatusCode::OK, || send(&platform, "services-go", Method::POST, "/hits", "")).await?;
    ensure!(hits.trim() == "6", "{hits}");

    // Unbound is unbound, without a restart of the app.
    let list = format!("/v3/service_credential_bindings?app_names=services-nodejs&service_instance_guids={keys}");
    let binding = platform.first_guid(&list).await?;
    platform.ask("DELETE", &format!("/v3/service_credential_bindings/{binding}"), &Value::Null).await?;
    let refused = until_answered("the unbound app is refused", StatusCode::BAD_GATEWAY, || {
        send(&platform, "services-nodejs", Method::GET, "/keys/of/app", "")
    });
    refused.await?;
    ensure!(sent(&platform, "services-python", Method::GET, "/keys/of/app", "").await? == "services-rust", "others keep what they have");

    // A deleted instance leaves nothing.
    for app in apps {
        platform.ok(&["delete", app, "-f"]).await?;
    }
    let folder = platform.home().join("services").join(&notes);
    ensure!(folder.exists(), "{}", folder.display());
    until("nothing of the apps' bindings is left", WAIT, async || {
        let page = platform.ask("GET", "/v3/service_credential_bindings", &Value::Null).await?;
        ensure!(page["pagination"]["total_results"] == 0, "{page}");
        Ok(())
    })
    .await?;
    platform.ask("DELETE", &format!("/v3/service_instances/{notes}"), &Value::Null).await?;
    until("the database is gone", WAIT, async || {
        ensure!(!folder.exists(), "{}", folder.display());
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn credentials_that_the_platform_holds_are_used_and_never_seen() -> anyhow::Result<()> {
    const SECRET: &str = "correct-horse-battery-staple";
    let platform = Platform::start(1).await?;
    platform.login().await?;
    platform.push("shop", "go-http", Push::default()).await?;
    let space = platform.first_guid("/v3/spaces?names=dev").await?;
    let body = |held: Value| {
        json!({
            "type": "user-provided", "name": "api", "credentials": { "region": "eu", "host-held": held },
            "relationships": { "space": to(&space) },
        })
    };
    for (held, says) in [
        (json!({ "url": "ftp://10.1.2.3" }), "url must be http or https"),
        (json!({ "url": "https://user:password@10.1.2.3" }), "without user, password"),
        (json!({ "url": "https://10.1.2.3", "headers": { "Host": "x" } }), "header 'Host' is the platform's"),
        (json!({ "url": "https://10.1.2.3", "headers": { "x": "a\nb" } }), "characters that no header may have"),
        (json!({ "headers": {} }), "missing field `url`"),
    ] {
        let refused = platform.ask("POST", "/v3/service_instances", &body(held.clone())).await;
        let refused = format!("{:#}", refused.err().with_context(|| format!("{held} was taken"))?);
        ensure!(refused.contains(says), "{held}: {refused}");
    }
    let held = json!({ "url": "http://10.1.2.3/v1", "headers": { "authorization": SECRET } });
    let instance = platform.ask("POST", "/v3/service_instances", &body(held)).await?;
    let instance = instance["guid"].as_str().unwrap_or_default().to_owned();
    let app = platform.first_guid("/v3/apps?names=shop").await?;
    let body = json!({ "type": "app", "relationships": { "app": to(&app), "service_instance": to(&instance) } });
    let binding = platform.ask("POST", "/v3/service_credential_bindings", &body).await?;
    let binding = binding["guid"].as_str().unwrap_or_default().to_owned();

    // The name leads where it should, without a restart; there the security groups decide, as on every other way out.
    let said = async |text: &str| {
        let logs = platform.ok(&["logs", "shop", "--recent"]).await?;
        ensure!(logs.contains(text), "{text}: {logs}");
        Ok(())
    };
    let fetch = |name: &str| {
        let path = format!("/fetch?url=http://{name}.services.internal/orders");
        let platform = &platform;
        async move { send(platform, "shop", Method::GET, &path, "").await }
    };
    for name in ["api", &binding] {
        until("the name leads outside", WAIT, async || {
            let (status, text) = fetch(name).await?;
            ensure!(status == StatusCode::BAD_GATEWAY, "{status} {text}");
            said("outbound tcp connection to 10.1.2.3:80 denied").await
        })
        .await?;
    }

    platform.ok(&["restart", "shop"]).await?;
    let given: Value = serde_json::from_str(&platform.get_ok("shop", "/env/VCAP_SERVICES").await?)?;
    let expected = json!({ "region": "eu", "url": format!("http://{binding}.services.internal") });
    ensure!(given["user-provided"][0]["credentials"] == expected, "{given}");
    let shown = platform.ask("GET", &format!("/v3/apps/{app}/env"), &Value::Null).await?;
    ensure!(!shown.to_string().contains(SECRET), "{shown}");

    // New ones hold at once, and none after the unbinding.
    let held = json!({ "credentials": { "host-held": { "url": "http://10.9.9.9:81" } } });
    platform.ask("PATCH", &format!("/v3/service_instances/{instance}"), &held).await?;
    until("the new place is used", WAIT, async || {
        fetch("api").await?;
        said("outbound tcp connection to 10.9.9.9:81 denied").await
    })
    .await?;
    platform.ask("DELETE", &format!("/v3/service_credential_bindings/{binding}"), &Value::Null).await?;
    until("the name leads nowhere", WAIT, async || {
        fetch("api").await?;
        said("outbound request to api.services.internal refused").await
    })
    .await
}

/// A PostgreSQL login that may make databases and roles, and a Redis: what an operator would name.
struct Servers {
    redis: std::process::Child,
    _folder: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
    superuser: tokio_postgres::Client,
}

impl Servers {
    async fn start() -> anyhow::Result<Self> {
        let given = std::env::var("VIRGA_TEST_POSTGRES_URL")
            .context("VIRGA_TEST_POSTGRES_URL is not set; tests/run starts a server and sets it")?;
        let (superuser, connection) = tokio_postgres::connect(&given, tokio_postgres::NoTls).await?;
        #[expect(clippy::disallowed_methods, reason = "it ends with its client")]
        tokio::spawn(connection);
        let login = format!("operator_{}", std::process::id());
        superuser.batch_execute(&format!("CREATE ROLE {login} LOGIN CREATEDB CREATEROLE PASSWORD 'operator'")).await?;
        let (_, rest) = given.split_once('@').context("no user in VIRGA_TEST_POSTGRES_URL")?;
        let folder = tempfile::tempdir()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let mut redis = std::process::Command::new("redis-server");
        redis.args(["--port", &port, "--bind", "127.0.0.1", "--requirepass", "operator", "--save", "", "--dir"]).arg(folder.path());
        let redis = redis.stdout(std::process::Stdio::null()).spawn().context("redis-server; tests/run installs it")?;
        let settings = vec![
            ("VIRGA_SERVICES__POSTGRES__URL", format!("postgres://{login}:operator@{rest}?sslmode=disable")),
            ("VIRGA_SERVICES__REDIS__URL", format!("redis://:operator@127.0.0.1:{port}")),
        ];
        Ok(Self { redis, _folder: folder, settings, superuser })
    }

    async fn databases(&self, instance: &str) -> anyhow::Result<i64> {
        let name = format!("virga_{}", instance.replace('-', ""));
        Ok(self.superuser.query_one("SELECT count(*) FROM pg_database WHERE datname = $1", &[&name]).await?.try_get(0)?)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.redis.kill().ok();
        self.redis.wait().ok();
    }
}

#[tokio::test]
async fn apps_in_four_languages_use_the_operators_servers() -> anyhow::Result<()> {
    let servers = Servers::start().await?;
    let mut platform = Platform::start_with(1, servers.settings.clone()).await?;
    platform.login().await?;
    let (orders, visits) = (create(&platform, "postgres", json!({})).await?, create(&platform, "redis", json!({})).await?);
    let apps = ["services-nodejs", "services-python", "services-go", "services-rust"];
    for (turn, app) in apps.into_iter().enumerate() {
        platform.push(app, app, Push::default()).await?;
        for instance in [&orders, &visits] {
            bind(&platform, app, instance).await?;
        }
        platform.ok(&["restart", app]).await?;
        let (turn, text) = ((turn + 1).to_string(), format!("it's {app}"));
        ensure!(sent(&platform, app, Method::POST, "/orders", &text).await?.trim() == turn, "{app}");
        ensure!(sent(&platform, app, Method::POST, "/visits", "").await?.trim() == turn, "{app}");
    }
    let expected = json!(apps.map(|app| format!("it's {app}")));
    for app in apps {
        let found: Value = serde_json::from_str(&sent(&platform, app, Method::GET, "/orders", "").await?)?;
        ensure!(found == expected, "{app}: {found}");
    }

    // For drivers there is a login too; each app has its own.
    let app = platform.first_guid("/v3/apps?names=services-go").await?;
    let shown = platform.ask("GET", &format!("/v3/apps/{app}/env"), &Value::Null).await?;
    let uri = shown.pointer("/system_env_json/VCAP_SERVICES/postgres/0/credentials/uri").and_then(Value::as_str).context("no URI")?;
    let (driver, connection) = tokio_postgres::connect(&format!("{uri}?sslmode=disable"), tokio_postgres::NoTls).await?;
    #[expect(clippy::disallowed_methods, reason = "it ends with its client")]
    tokio::spawn(connection);
    ensure!(driver.query_one("SELECT count(*) FROM orders", &[]).await?.try_get::<_, i64>(0)? == 4);
    drop(driver);

    // Neither the process that leads there nor the platform takes anything along when it is killed.
    kill_services(&platform).await?;
    ensure!(sent(&platform, "services-rust", Method::POST, "/orders", "after").await?.trim() == "5");
    ensure!(sent(&platform, "services-rust", Method::POST, "/visits", "").await?.trim() == "5");
    platform.kill_control().await?;
    platform.start_control().await?;
    let visited =
        until_answered("the app is back", StatusCode::OK, || send(&platform, "services-python", Method::POST, "/visits", "")).await?;
    ensure!(visited.trim() == "6", "{visited}");

    // A deleted instance leaves nothing on the server.
    for app in apps {
        platform.ok(&["delete", app, "-f"]).await?;
    }
    until("nothing of the apps' bindings is left", WAIT, async || {
        let page = platform.ask("GET", "/v3/service_credential_bindings", &Value::Null).await?;
        ensure!(page["pagination"]["total_results"] == 0, "{page}");
        Ok(())
    })
    .await?;
    ensure!(servers.databases(&orders).await? == 1);
    platform.ask("DELETE", &format!("/v3/service_instances/{orders}"), &Value::Null).await?;
    until("the database is gone", WAIT, async || {
        ensure!(servers.databases(&orders).await? == 0);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn apps_that_ask_for_it_find_their_services_in_a_file() -> anyhow::Result<()> {
    const FILE: &str = "/file/etc/cf-service-bindings/vcap_services";
    let platform = Platform::start(2).await?;
    platform.login().await?;
    let keys = create(&platform, "keyvalue", json!({})).await?;
    platform.push("services-python", "services-python", Push::default()).await?;
    let go = built_by_go()?;
    platform.ok(&["push", "go-listener", "-p", &go.path().to_string_lossy()]).await?;
    // A started app's snapshot, a server of WASI 0.1.
    for app in ["services-python", "go-listener"] {
        bind(&platform, app, &keys).await?;
        let guid = platform.first_guid(&format!("/v3/apps?names={app}")).await?;
        let feature = format!("/v3/apps/{guid}/features/file-based-vcap-services");
        let shown = platform.ask("PATCH", &feature, &json!({ "enabled": true })).await?;
        ensure!(shown["enabled"] == true, "{shown}");
        platform.ok(&["restart", app]).await?;
        let shown = platform.ask("GET", &format!("/v3/apps/{guid}/env"), &Value::Null).await?;
        ensure!(shown["system_env_json"] == json!({ "VCAP_SERVICES_FILE_PATH": "/etc/cf-service-bindings/vcap_services" }), "{shown}");
    }
    for number in ["1", "2", "3"] {
        ensure!(sent(&platform, "services-python", Method::POST, "/hits", "").await?.trim() == number);
    }
    let services: Value = serde_json::from_str(&sent(&platform, "go-listener", Method::GET, FILE, "").await?)?;
    ensure!(services["keyvalue"][0]["instance_name"] == "my-keyvalue", "{services}");

    // A folder for the binding in its place.
    let guid = platform.first_guid("/v3/apps?names=go-listener").await?;
    for (feature, enabled) in [("file-based-vcap-services", false), ("service-binding-k8s", true)] {
        platform.ask("PATCH", &format!("/v3/apps/{guid}/features/{feature}"), &json!({ "enabled": enabled })).await?;
    }
    platform.ok(&["restart", "go-listener"]).await?;
    for (file, text) in [("type", "keyvalue"), ("instance-name", "my-keyvalue"), ("plan", "small")] {
        let path = format!("/file/etc/cf-service-bindings/my-keyvalue/{file}");
        ensure!(sent(&platform, "go-listener", Method::GET, &path, "").await? == text, "{file}");
    }
    let (status, text) = send(&platform, "go-listener", Method::GET, FILE, "").await?;
    ensure!(status == StatusCode::NOT_FOUND, "{status} {text}");

    // Switched off again, the file is gone, and so is its folder on the machine once no instance has it.
    let trees = platform.home().join("cell/trees");
    let count = || -> anyhow::Result<usize> {
        let mut found = 0;
        for process in std::fs::read_dir(&trees).with_context(|| trees.display().to_string())? {
            found += std::fs::read_dir(process?.path())?.count();
        }
        Ok(found)
    };
    ensure!(count()? > 0, "no files of instances");
    for app in ["services-python", "go-listener"] {
        let guid = platform.first_guid(&format!("/v3/apps?names={app}")).await?;
        for feature in ["file-based-vcap-services", "service-binding-k8s"] {
            platform.ask("PATCH", &format!("/v3/apps/{guid}/features/{feature}"), &json!({ "enabled": false })).await?;
        }
        platform.ok(&["restart", app]).await?;
    }
    ensure!(sent(&platform, "services-python", Method::POST, "/hits", "").await?.trim() == "4");
    let (status, text) = send(&platform, "go-listener", Method::GET, FILE, "").await?;
    ensure!(status == StatusCode::NOT_FOUND, "{status} {text}");
    until("nothing is left on the disk", WAIT, async || {
        ensure!(count()? == 0);
        Ok(())
    })
    .await
}
