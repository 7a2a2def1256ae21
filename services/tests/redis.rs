//! Parts of a real Redis, which lets in nobody without a password.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

use redis::{AsyncCommands as _, RedisError, aio::MultiplexedConnection};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};
use support::{Services, bind, provision, update};
use tempfile::TempDir;
use tokio::time::Instant;
use virga_broker::{BindingIds, DeprovisionRequest, UnbindRequest};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};
use virga_services::{RedisServer, ServersConfig};

const PASSWORD: &str = "operator";

struct Server {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    async fn start(password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { child: Self::run(port, password, &folder).await, port, _folder: folder }
    }

    async fn run(port: u16, password: &str, folder: &TempDir) -> Child {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir"]).arg(folder.path());
        if !password.is_empty() {
            command.args(["--requirepass", password]);
        }
        let child = command.stdout(Stdio::null()).spawn().unwrap_or_else(|error| panic!("redis-server: {error}; tests/run installs it"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while enter(&format!("redis://:{password}@127.0.0.1:{port}")).await.is_err() {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child
    }

    /// What a server does that is started anew: keys are there, users of the access list are not.
    async fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::run(self.port, PASSWORD, &self._folder).await;
    }

    async fn operator(&self) -> MultiplexedConnection {
        enter(&format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)).await.unwrap()
    }

    fn services(&self) -> Services {
        let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port);
        Services::start_with(ServersConfig { redis: Some(RedisServer { url, ca_file: None }), postgres: None })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn enter(url: &str) -> Result<MultiplexedConnection, RedisError> {
    redis::Client::open(url)?.get_multiplexed_async_connection().await
}

async fn bound(services: &Services) -> (BindingIds, Map<String, Value>) {
    let ids = BindingIds { instance: ServiceInstanceGuid::random(), binding: ServiceCredentialBindingGuid::random() };
    let plan = services.plan("redis", "small").await;
    services.broker().provision(&provision(ids.instance, plan.clone(), json!({}))).await.unwrap();
    let bound = services.broker().bind(&bind(ids, plan)).await.unwrap();
    (ids, bound.binding.credentials)
}

fn text<'a>(credentials: &'a Map<String, Value>, name: &str) -> &'a str {
    credentials[name].as_str().unwrap()
}

async fn say(services: &Services, ids: BindingIds, words: Value) -> (StatusCode, Value) {
    services.json(ids, Method::POST, "/v1/command", json!({ "command": words })).await
}

async fn delete(services: &Services, ids: BindingIds) {
    let plan = services.plan("redis", "small").await;
    services.broker().deprovision(&DeprovisionRequest { instance: ids.instance, plan, accepts_incomplete: true }).await.unwrap();
}

#[tokio::test]
async fn a_prefix_is_one_for_all_its_bindings_and_for_nobody_else() {
    let mut server = Server::start(PASSWORD).await;
    let services = server.services();
    let (ids, credentials) = bound(&services).await;
    let (prefix, url) = (text(&credentials, "prefix").to_owned(), text(&credentials, "uri").to_owned());
    let key = |name: &str| format!("{prefix}{name}");
    let mut driver = enter(&url).await.unwrap();
    driver.set::<_, _, ()>(key("hits"), 1).await.unwrap();
    assert_eq!(say(&services, ids, json!(["INCRBY", key("hits"), 2])).await, (StatusCode::OK, json!({ "value": 3 })));
    let batch = json!({ "commands": [["SET", key("raw"), { "$base64": "AP8=" }], ["GET", key("raw")], ["HSET", key("h"), "a", 1], ["HGETALL", key("h")], ["GET", key("no")]] });
    let (status, answer) = services.json(ids, Method::POST, "/v1/batch", batch).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({ "values": ["OK", { "$base64": "AP8=" }, 1, ["a", "1"], null] })));

    // The user of a binding that is asked for again has another password; that of a stranger reaches none of it.
    let plan = services.plan("redis", "small").await;
    let again = services.broker().bind(&bind(ids, plan.clone())).await.unwrap().binding.credentials;
    assert!(enter(&url).await.is_err());
    assert!(enter(text(&again, "uri")).await.is_ok());
    let (stranger, strange) = bound(&services).await;
    let mut other = enter(text(&strange, "uri")).await.unwrap();
    assert_eq!(other.get::<_, Option<i64>>(key("hits")).await.unwrap_err().code(), Some("NOPERM"));
    assert_eq!(say(&services, stranger, json!(["GET", key("hits")])).await.0, StatusCode::FORBIDDEN);

    // Users of a server that was started anew are there again, with the passwords they had.
    server.restart().await;
    assert_eq!(say(&services, ids, json!(["GET", key("hits")])).await.1, json!({ "value": "3" }), "the platform's own way in");
    let deadline = Instant::now() + Duration::from_secs(60);
    driver = loop {
        // The look of every half minute; nothing else tells that it was.
        match enter(text(&again, "uri")).await {
            Ok(driver) => break driver,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(driver.get::<_, i64>(key("hits")).await.unwrap(), 3);

    services.broker().unbind(&UnbindRequest { ids, plan, accepts_incomplete: true }).await.unwrap();
    assert!(driver.get::<_, i64>(key("hits")).await.is_err(), "a connection of a binding that is gone");
    assert_eq!(say(&services, ids, json!(["GET", key("hits")])).await.0, StatusCode::FORBIDDEN);
    for gone in [ids, stranger] {
        delete(&services, gone).await;
    }
    let mut operator = server.operator().await;
    let (keys, users): (i64, Vec<String>) = (
        redis::cmd("DBSIZE").query_async(&mut operator).await.unwrap(),
        redis::cmd("ACL").arg("USERS").query_async(&mut operator).await.unwrap(),
    );
    assert_eq!((keys, users), (0, vec!["default".to_owned()]));
}

#[tokio::test]
async fn tenants_see_and_stop_nobody_else() {
    let server = Server::start(PASSWORD).await;
    let services = server.services();
    let ((ids, credentials), (other, _)) = (bound(&services).await, bound(&services).await);
    let prefix = text(&credentials, "prefix").to_owned();
    let mine = format!("{prefix}k");
    say(&services, ids, json!(["SET", mine, "x".repeat(1_000_000)])).await;
    for (words, status) in [
        (json!(["SCAN", 0]), 403),
        (json!(["KEYS", "*"]), 403),
        (json!(["RANDOMKEY"]), 403),
        (json!(["FLUSHALL"]), 403),
        (json!(["CONFIG", "GET", "requirepass"]), 403),
        (json!(["ACL", "LIST"]), 403),
        (json!(["CLIENT", "LIST"]), 403),
        (json!(["EVAL", "while true do end", 0]), 403),
        (json!(["FUNCTION", "FLUSH"]), 403),
        (json!(["SELECT", 1]), 403),
        (json!(["COPY", mine, mine, "DB", 1]), 403),
        (json!(["AUTH", "default", PASSWORD]), 403),
        (json!(["reset"]), 403),
        (json!(["HELLO", 3]), 403),
        (json!(["MULTI"]), 403),
        (json!(["SUBSCRIBE", mine]), 403),
        (json!(["BLPOP", mine, 0]), 403),
        (json!(["SET", format!("virga:{}:k", other.instance), 1]), 403),
        (json!(["MGET", mine, mine, mine, mine, mine]), 413),
        (json!(["LPUSH", mine, 1]), 400),
        (json!(["NONSENSE"]), 400),
        (json!([]), 400),
        (json!(["SET", mine, [1]]), 400),
    ] {
        let (answered, answer) = say(&services, ids, words.clone()).await;
        assert_eq!(answered.as_u16(), status, "{words}: {answer}");
    }
    let half = json!({ "commands": [["SET", mine, "half"], ["CONFIG", "GET", "*"]] });
    let (status, answer) = services.json(ids, Method::POST, "/v1/batch", half).await;
    assert!(status == StatusCode::BAD_REQUEST && answer.to_string().contains("no permissions to run the 'config|get' command"), "{answer}");
    assert_eq!(say(&services, ids, json!(["STRLEN", mine])).await.1, json!({ "value": 1_000_000 }), "all or none");

    let mut driver = enter(text(&credentials, "uri")).await.unwrap();
    for words in [
        &["SCAN", "0"][..],
        &["SELECT", "1"],
        &["EVAL", "return 1", "0"],
        &["CLIENT", "LIST"],
        &["PUBSUB", "CHANNELS"],
        &["PUBLISH", "news", "x"],
    ] {
        let mut command = redis::cmd(words[0]);
        let answered = command.arg(&words[1..]).query_async::<redis::Value>(&mut driver).await;
        assert_eq!(answered.unwrap_err().code(), Some("NOPERM"), "{words:?}");
    }
    driver.publish::<_, _, i64>(format!("{prefix}news"), "x").await.unwrap();
    for gone in [ids, other] {
        delete(&services, gone).await;
    }
}

#[tokio::test]
async fn an_instance_that_is_full_deletes_until_it_is_not() {
    let server = Server::start(PASSWORD).await;
    let services = server.services();
    let (ids, credentials) = bound(&services).await;
    let prefix = text(&credentials, "prefix").to_owned();
    for number in 0..20 {
        let (status, answer) = say(&services, ids, json!(["SET", format!("{prefix}{number}"), "x".repeat(1 << 20)])).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    let until = async |status: StatusCode| {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            // The look of every half minute; nothing else tells that it was.
            let (answered, answer) = say(&services, ids, json!(["SET", format!("{prefix}small"), "x"])).await;
            if answered == status {
                return answer;
            }
            assert!(Instant::now() < deadline, "{answered} {answer}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let full = until(StatusCode::INSUFFICIENT_STORAGE).await;
    assert_eq!(full["error"]["code"], "plan_limit");
    let mut driver = enter(text(&credentials, "uri")).await.unwrap();
    assert_eq!(driver.set::<_, _, ()>(format!("{prefix}x"), 1).await.unwrap_err().code(), Some("NOPERM"));
    let plan = services.plan("redis", "small").await;
    let shown = services.broker().fetch_instance(ids.instance, &plan).await.unwrap();
    assert!(shown.parameters["usage"]["bytes"].as_u64().unwrap() > 16 << 20 && shown.parameters["usage"]["keys"].as_u64().unwrap() > 19);
    let error = services.broker().update(&update(ids.instance, plan, None)).await.unwrap_err();
    assert!(format!("{error:?}").contains("more than the plan allows"), "{error:?}");
    for number in 0..10 {
        driver.del::<_, i64>(format!("{prefix}{number}")).await.unwrap();
    }
    until(StatusCode::OK).await;
    delete(&services, ids).await;
}

#[tokio::test]
async fn a_server_that_lets_in_everybody_gets_no_tenant() {
    let server = Server::start("").await;
    let services = server.services();
    let plan = services.plan("redis", "small").await;
    let error = services.broker().provision(&provision(ServiceInstanceGuid::random(), plan, json!({}))).await.unwrap_err();
    assert!(format!("{error:?}").contains("Redis"), "{error:?}");
}
