//! Deployments under load: whatever happens to the new version, no request of the app fails.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};
use virga_tests::{Platform, until};

const PATIENCE: Duration = Duration::from_secs(120);
/// Requests in flight all the while.
const CLIENTS: usize = 4;

async fn ask(platform: &Platform, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let body = body.to_string();
    let mut args = vec!["curl", path, "-X", method];
    if method != "GET" {
        args.extend(["-d", body.as_str()]);
    }
    let answer = platform.ok(&args).await?;
    let answer: Value = serde_json::from_str(answer.trim()).unwrap_or(Value::Null);
    ensure!(answer.get("errors").is_none(), "{method} {path}: {answer}");
    Ok(answer)
}

fn guid(resource: &Value) -> anyhow::Result<String> {
    Ok(at(resource, "/guid").as_str().with_context(|| format!("no guid in {resource}"))?.to_owned())
}

/// What a JSON pointer leads to; null where that is nothing.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// A static site that says this.
async fn push_site(platform: &Platform, name: &str, says: &str) -> anyhow::Result<String> {
    let site = tempfile::tempdir()?;
    std::fs::write(site.path().join("index.html"), says)?;
    platform.ok(&["push", name, "-p", &site.path().to_string_lossy()]).await?;
    guid(at(&ask(platform, "GET", &format!("/v3/apps?names={name}"), &Value::Null).await?, "/resources/0"))
}

/// Another app's droplet as one of this app.
async fn take_droplet(platform: &Platform, app: &str, from: &str) -> anyhow::Result<String> {
    let source = guid(&ask(platform, "GET", &format!("/v3/apps/{from}/droplets/current"), &Value::Null).await?)?;
    let of = json!({ "relationships": { "app": { "data": { "guid": app } } } });
    guid(&ask(platform, "POST", &format!("/v3/droplets?source_guid={source}"), &of).await?)
}

async fn deploy(platform: &Platform, app: &str, mut what: Value) -> anyhow::Result<String> {
    let members = what.as_object_mut().context("no object")?;
    members.insert("relationships".to_owned(), json!({ "app": { "data": { "guid": app } } }));
    guid(&ask(platform, "POST", "/v3/deployments", &what).await?)
}

/// Waits until `status` of the deployment has this value and reason.
async fn until_status(platform: &Platform, deployment: &str, value: &str, reason: &str) -> anyhow::Result<()> {
    until(&format!("{value} {reason}"), PATIENCE, || async {
        let shown = ask(platform, "GET", &format!("/v3/deployments/{deployment}"), &Value::Null).await?;
        ensure!(*at(&shown, "/status/value") == value && *at(&shown, "/status/reason") == reason, "{shown}");
        Ok(())
    })
    .await
}

/// Asks the app without a pause while `work` goes on; gives how many answers there were. Any that is not 200 with one of these
/// texts is an error.
async fn under_load<T>(
    platform: &Platform,
    app: &str,
    says: &[&str],
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<(T, usize)> {
    let (is_over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = || async {
        while !is_over.load(Ordering::SeqCst) {
            let text = platform.get_ok(app, "/").await?;
            ensure!(says.contains(&text.trim()), "{text}");
            answers.fetch_add(1, Ordering::SeqCst);
        }
        anyhow::Ok(())
    };
    let clients = async { tokio::try_join!(client(), client(), client(), client()) };
    let work = async {
        let outcome = work.await;
        is_over.store(true, Ordering::SeqCst);
        outcome
    };
    let (served, outcome) = tokio::join!(clients, work);
    let outcome = outcome?;
    served.context("a request failed during the deployment")?;
    Ok((outcome, answers.load(Ordering::SeqCst)))
}

#[tokio::test]
async fn no_request_fails_while_versions_replace_one_another() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    let app = push_site(&platform, "site", "one").await?;
    let other = push_site(&platform, "other", "two").await?;
    platform.ok(&["scale", "site", "-i", "3"]).await?;
    let two = take_droplet(&platform, &app, &other).await?;

    let rolling = async {
        let deployment = deploy(&platform, &app, json!({ "droplet": { "guid": two }, "options": { "max_in_flight": 2 } })).await?;
        until_status(&platform, &deployment, "FINALIZED", "DEPLOYED").await
    };
    let ((), answers) = under_load(&platform, "site", &["one", "two"], rolling).await?;
    println!("rolling: {answers} answers, none failed");
    ensure!(answers > CLIENTS, "{answers} answers are no load");
    ensure!(platform.get_ok("site", "/").await?.trim() == "two");

    let revisions = ask(&platform, "GET", &format!("/v3/apps/{app}/revisions?versions=1"), &Value::Null).await?;
    let first = guid(at(&revisions, "/resources/0"))?;
    let canary = async {
        let steps = json!([{ "instance_weight": 40 }]);
        let what = json!({ "revision": { "guid": first }, "strategy": "canary", "options": { "canary": { "steps": steps } } });
        let deployment = deploy(&platform, &app, what).await?;
        until_status(&platform, &deployment, "ACTIVE", "PAUSED").await?;
        ask(&platform, "POST", &format!("/v3/deployments/{deployment}/actions/continue"), &json!({})).await?;
        until_status(&platform, &deployment, "FINALIZED", "DEPLOYED").await
    };
    let ((), answers) = under_load(&platform, "site", &["one", "two"], canary).await?;
    println!("canary: {answers} answers, none failed");
    ensure!(platform.get_ok("site", "/").await?.trim() == "one");
    Ok(())
}

#[tokio::test]
async fn a_broken_version_never_takes_the_old_one_down() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    let app = push_site(&platform, "site", "one").await?;
    platform.ok(&["scale", "site", "-i", "2"]).await?;
    let check = json!({ "type": "http", "data": { "endpoint": "/nowhere", "timeout": 1 } });
    ask(&platform, "PATCH", &format!("/v3/processes/{app}"), &json!({ "health_check": check })).await?;
    let broken = async {
        let deployment = deploy(&platform, &app, json!({ "options": { "max_in_flight": 2 } })).await?;
        until("the reason why it stands still", PATIENCE, || async {
            let shown = ask(&platform, "GET", &format!("/v3/deployments/{deployment}"), &Value::Null).await?;
            ensure!(at(&shown, "/status/details/error").is_string() && *at(&shown, "/status/value") == "ACTIVE", "{shown}");
            Ok(())
        })
        .await?;
        ask(&platform, "POST", &format!("/v3/deployments/{deployment}/actions/cancel"), &json!({})).await?;
        until_status(&platform, &deployment, "FINALIZED", "CANCELED").await
    };
    let ((), answers) = under_load(&platform, "site", &["one"], broken).await?;
    println!("broken: {answers} answers, none failed");
    ensure!(answers > CLIENTS, "{answers} answers are no load");
    let web = ask(&platform, "GET", &format!("/v3/apps/{app}/processes/web"), &Value::Null).await?;
    ensure!(*at(&web, "/guid") == app && *at(&web, "/instances") == 2, "{web}");
    Ok(())
}

#[tokio::test]
async fn a_rollback_is_routable_soon() -> anyhow::Result<()> {
    let platform = Platform::start(2).await?;
    platform.login().await?;
    let app = push_site(&platform, "site", "one").await?;
    let other = push_site(&platform, "other", "two").await?;
    let two = take_droplet(&platform, &app, &other).await?;
    let deployment = deploy(&platform, &app, json!({ "droplet": { "guid": two } })).await?;
    until_status(&platform, &deployment, "FINALIZED", "DEPLOYED").await?;
    let revisions = ask(&platform, "GET", &format!("/v3/apps/{app}/revisions?versions=1"), &Value::Null).await?;
    let first = guid(at(&revisions, "/resources/0"))?;

    let token = platform.ok(&["oauth-token"]).await?;
    let body = json!({ "revision": { "guid": first }, "relationships": { "app": { "data": { "guid": app } } } });
    let request = platform.http().post(format!("{}/v3/deployments", platform.api())).header("authorization", token.trim());
    let asked = Instant::now();
    let answer = request.header("content-type", "application/json").body(body.to_string()).send().await?;
    ensure!(answer.status() == 201, "{}", answer.text().await?);
    let accepted = asked.elapsed();
    while platform.get_ok("site", "/").await?.trim() != "one" {
        ensure!(asked.elapsed() < PATIENCE, "the rollback never arrives");
    }
    println!("rollback: accepted after {accepted:?}, answered by the old version after {:?}", asked.elapsed());
    Ok(())
}
