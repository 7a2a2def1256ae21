//! The broker and the data of the platform's own services, on a real socket, by the platform's own client of brokers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{Services, bind, provision, update};
use virga_broker::{BindRequest, BindResource, BindingIds, DeprovisionRequest, UnbindRequest};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};

#[tokio::test]
async fn keys_live_as_long_as_their_instance() {
    let mut services = Services::start();
    let ids = services.bound("keyvalue", json!({})).await;
    assert_eq!(services.ask(ids, Method::GET, "/v1/keys/cart%2F1", "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(services.ask(ids, Method::PUT, "/v1/keys/cart%2F1", "two apples").await.0, StatusCode::NO_CONTENT);
    services = services.restart().await;
    assert_eq!(services.ask(ids, Method::GET, "/v1/keys/cart%2F1", "").await, (StatusCode::OK, "two apples".into()));
    for number in ["1", "2"] {
        assert_eq!(
            services.ask(ids, Method::POST, "/v1/keys/hits/increment", "").await,
            (StatusCode::OK, format!("{{\"value\":{number}}}"))
        );
    }
    assert_eq!(services.json(ids, Method::GET, "/v1/keys?limit=1", json!(null)).await.1, json!({ "keys": ["cart/1"], "cursor": "cart/1" }));
    assert_eq!(services.json(ids, Method::GET, "/v1/keys?cursor=cart/1", json!(null)).await.1, json!({ "keys": ["hits"], "cursor": null }));
    assert_eq!(services.json(ids, Method::GET, "/v1/keys?prefix=car", json!(null)).await.1, json!({ "keys": ["cart/1"], "cursor": null }));
    let batch = json!({ "set": { "a": "AQI=" }, "delete": ["cart/1"], "get": ["a", "cart/1"] });
    assert_eq!(services.json(ids, Method::POST, "/v1/batch", batch).await.1, json!({ "values": { "a": "AQI=", "cart/1": null } }));

    let plan = services.plan("keyvalue", "small").await;
    let fetched = services.broker().fetch_instance(ids.instance, &plan).await.unwrap();
    // `hits` with one digit, `a` with two bytes.
    let usage = json!({ "bytes": 8, "bytes_limit": 16 << 20, "keys": 2, "keys_limit": 10_000 });
    assert_eq!(json!(fetched.parameters), json!({ "usage": usage, "backups": [] }));

    let unbind = UnbindRequest { ids, plan: plan.clone(), accepts_incomplete: true };
    services.broker().unbind(&unbind).await.unwrap();
    assert_eq!(services.ask(ids, Method::GET, "/v1/keys/a", "").await.0, StatusCode::FORBIDDEN, "unbound");
    assert!(services.data_of(ids).exists());
    services.broker().deprovision(&DeprovisionRequest { instance: ids.instance, plan, accepts_incomplete: true }).await.unwrap();
    assert!(!services.data_of(ids).exists());
}

#[tokio::test]
async fn a_key_changes_only_where_it_is_as_expected() {
    let services = Services::start();
    let ids = services.bound("keyvalue", json!({})).await;
    let put = async |header: &str, tag: &str, value: &'static str| {
        let request =
            services.http.put(format!("http://x/data/{}/v1/keys/k", ids.instance)).header("virga-binding", ids.binding.to_string());
        let answer = request.header(header, tag).body(value).send().await.unwrap();
        (answer.status().as_u16(), answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()))
    };
    assert_eq!(put("if-match", "*", "a").await.0, 412);
    let (status, first) = put("if-none-match", "*", "a").await;
    assert_eq!((status, put("if-none-match", "*", "b").await.0), (204, 412));
    let (status, second) = put("if-match", first.as_deref().unwrap(), "c").await;
    assert_eq!((status, put("if-match", first.as_deref().unwrap(), "d").await.0), (204, 412));
    assert!(first != second && put("if-match", "3", "e").await.0 == 400);
    assert_eq!(services.ask(ids, Method::GET, "/v1/keys/k", "").await.1, "c");
}

#[tokio::test]
async fn limits_of_keys_are_named_and_change_nothing() {
    let services = Services::start();
    let ids = services.bound("keyvalue", json!({})).await;
    let (status, text) = services.ask(ids, Method::PUT, "/v1/keys/k", vec![0; (1 << 20) + 1]).await;
    assert!(status == StatusCode::PAYLOAD_TOO_LARGE && text.contains("1048576 bytes"), "{status} {text}");
    let (status, text) = services.ask(ids, Method::PUT, &format!("/v1/keys/{}", "k".repeat(1025)), "").await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("1024"), "{status} {text}");
    for number in 0..15 {
        assert_eq!(services.ask(ids, Method::PUT, &format!("/v1/keys/{number}"), vec![7; 1 << 20]).await.0, StatusCode::NO_CONTENT);
    }
    let (status, text) = services.ask(ids, Method::PUT, "/v1/keys/more", vec![7; 1 << 20]).await;
    assert!(status == StatusCode::INSUFFICIENT_STORAGE && text.contains("16777216 bytes"), "{status} {text}");
    assert_eq!(services.ask(ids, Method::GET, "/v1/keys/more", "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(services.ask(ids, Method::DELETE, "/v1/keys/0", "").await.0, StatusCode::NO_CONTENT);
    assert_eq!(services.ask(ids, Method::PUT, "/v1/keys/more", vec![7; 1 << 20]).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn nobody_reaches_an_instance_by_a_binding_of_another() {
    let services = Services::start();
    let (one, other) = (services.bound("keyvalue", json!({})).await, services.bound("keyvalue", json!({})).await);
    services.ask(one, Method::PUT, "/v1/keys/secret", "x").await;
    let crossed = BindingIds { instance: one.instance, binding: other.binding };
    assert_eq!(services.ask(crossed, Method::GET, "/v1/keys/secret", "").await.0, StatusCode::FORBIDDEN);
    assert_eq!(services.ask(other, Method::GET, "/v1/keys/secret", "").await.0, StatusCode::NOT_FOUND);
    let climbing = format!("/../{}/v1/keys/secret", one.instance);
    let answer = services.http.get(format!("http://x/data/{}", other.instance) + &climbing.replace("..", "%2e%2e"));
    let answer = answer.header("virga-binding", other.binding.to_string()).send().await.unwrap();
    assert!(!answer.status().is_success(), "{}", answer.status());
}

#[tokio::test]
async fn a_database_keeps_what_a_batch_did_as_a_whole() {
    let mut services = Services::start();
    let ids = services.bound("sqlite", json!({})).await;
    let statements = json!({ "statements": [
        { "sql": "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, size REAL, raw BLOB)" },
        { "sql": "INSERT INTO notes (text, size, raw) VALUES (?, ?, ?)", "params": ["milk", 1.5, { "$base64": "AQI=" }] },
        { "sql": "INSERT INTO notes (text) VALUES (:text)", "params": { "text": "bread" } },
    ] });
    let (status, answer) = services.json(ids, Method::POST, "/v1/batch", statements).await;
    assert_eq!((status, &answer["results"][2]["last_insert_rowid"]), (StatusCode::OK, &json!(2)), "{answer}");
    services = services.restart().await;
    let (_, answer) = services.query(ids, "SELECT * FROM notes ORDER BY id").await;
    assert_eq!(answer["columns"], json!(["id", "text", "size", "raw"]));
    assert_eq!(answer["rows"], json!([[1, "milk", 1.5, { "$base64": "AQI=" }], [2, "bread", null, null]]));

    let half = json!({ "statements": [{ "sql": "DELETE FROM notes" }, { "sql": "INSERT INTO notes (text) VALUES (NULL)" }] });
    let (status, answer) = services.json(ids, Method::POST, "/v1/batch", half).await;
    assert!(status == StatusCode::CONFLICT && answer["error"]["message"].as_str().unwrap().contains("NOT NULL"), "{answer}");
    assert_eq!(services.query(ids, "SELECT count(*) FROM notes").await.1["rows"], json!([[2]]));
    assert_eq!(services.query(ids, "DELETE FROM notes WHERE id = 1").await.1["rows_affected"], json!(1));
}

#[tokio::test]
async fn hostile_statements_are_refused_and_leave_the_database_in_use() {
    let services = Services::start();
    let (ids, other) = (services.bound("sqlite", json!({})).await, services.bound("sqlite", json!({})).await);
    services.query(other, "CREATE TABLE secret (x)").await;
    let file = services.data_of(other).join("data.sqlite");
    assert!(file.exists());
    for (sql, status, says) in [
        (format!("ATTACH '{}' AS other", file.display()), 403, "attached"),
        ("DETACH main".to_owned(), 403, "attached"),
        (format!("VACUUM INTO '{}'", services.folder.path().join("stolen").display()), 400, "VACUUM"),
        ("PRAGMA journal_mode = OFF".to_owned(), 403, "PRAGMA journal_mode"),
        ("PRAGMA max_page_count = 1000000000".to_owned(), 403, "PRAGMA max_page_count"),
        ("SELECT * FROM pragma_database_list".to_owned(), 403, "PRAGMA database_list"),
        ("PRAGMA writable_schema = ON".to_owned(), 403, "PRAGMA writable_schema"),
        ("SELECT load_extension('x')".to_owned(), 403, "extensions"),
        ("COMMIT".to_owned(), 403, "/v1/batch"),
        ("SAVEPOINT a".to_owned(), 403, "/v1/batch"),
        ("CREATE TEMP TABLE t (x)".to_owned(), 403, "temporary"),
        ("SELECT 1; SELECT 2".to_owned(), 400, "one statement"),
        ("SELEC".to_owned(), 400, "syntax"),
        (String::new(), 400, "no statement"),
        ("SELECT zeroblob(1000000000)".to_owned(), 413, "too big"),
        (format!("SELECT 'a' LIKE '{}'", "%a".repeat(501)), 400, "pattern too complex"),
        ("SELECT randomblob(1000000), randomblob(1000000), randomblob(1000000), randomblob(1000000)".to_owned(), 413, "4194304 bytes"),
        ("WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 10001) SELECT x FROM n".to_owned(), 413, "10000 rows"),
        ("WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n".to_owned(), 408, "5 seconds"),
    ] {
        let (answered, answer) = services.query(ids, &sql).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(answered.as_u16() == status && message.contains(says), "{sql}: {answered} {answer}");
    }
    assert!(!services.folder.path().join("stolen").exists());
    assert_eq!(services.query(ids, "SELECT 1").await.1["rows"], json!([[1]]));
    assert_eq!(services.query(ids, "PRAGMA user_version = 3").await.0, StatusCode::OK);
    assert_eq!(services.query(ids, "PRAGMA user_version").await.1["rows"], json!([[3]]));
}

#[tokio::test]
async fn a_slow_statement_holds_up_no_other_instance() {
    let services = Services::start();
    let (slow, quick) = (services.bound("sqlite", json!({})).await, services.bound("sqlite", json!({})).await);
    let endless = services.query(slow, "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n");
    let others = async {
        for _ in 0..20 {
            assert_eq!(services.query(quick, "SELECT 1").await.0, StatusCode::OK);
        }
    };
    tokio::pin!(endless);
    tokio::select! {
        answer = &mut endless => panic!("the slow one was first: {answer:?}"),
        () = others => {}
    }
    assert_eq!(endless.await.0, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn a_full_database_says_so_until_its_plan_is_larger() {
    let services = Services::start();
    let ids = services.bound("sqlite", json!({})).await;
    services.query(ids, "CREATE TABLE t (x BLOB)").await;
    let fill = json!({ "statements": vec![json!({ "sql": "INSERT INTO t VALUES (zeroblob(1000000))" }); 60] });
    assert_eq!(services.json(ids, Method::POST, "/v1/batch", fill.clone()).await.0, StatusCode::OK);
    let (status, answer) = services.json(ids, Method::POST, "/v1/batch", fill.clone()).await;
    assert!(status == StatusCode::INSUFFICIENT_STORAGE && answer["error"]["message"].as_str().unwrap().contains("plan"), "{answer}");
    assert_eq!(services.query(ids, "SELECT count(*) FROM t").await.1["rows"], json!([[60]]));
    let large = services.plan("sqlite", "large").await;
    services.broker().update(&update(ids.instance, large, None)).await.unwrap();
    assert_eq!(services.json(ids, Method::POST, "/v1/batch", fill).await.0, StatusCode::OK);
    let small = services.plan("sqlite", "small").await;
    let refused = services.broker().update(&update(ids.instance, small, None)).await.unwrap_err();
    assert!(refused.to_string().contains("more than the plan allows"), "{refused}");
}

#[tokio::test]
async fn values_of_a_configuration_change_with_the_instance() {
    let services = Services::start();
    let ids = services.bound("config", json!({ "values": { "motto": "slow" } })).await;
    assert_eq!(services.ask(ids, Method::GET, "/v1/values/motto", "").await, (StatusCode::OK, "slow".into()));
    let plan = services.plan("config", "small").await;
    services.broker().update(&update(ids.instance, plan.clone(), Some(json!({ "values": { "motto": "fast" } })))).await.unwrap();
    assert_eq!(services.json(ids, Method::GET, "/v1/values", json!(null)).await.1, json!({ "motto": "fast" }));
    assert_eq!(services.ask(ids, Method::GET, "/v1/values/other", "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(services.ask(ids, Method::GET, "/v1/keys", "").await.0, StatusCode::NOT_FOUND, "another kind");
    for (wrong, says) in [
        (json!({ "value": {} }), "no parameter \"value\""),
        (json!({ "values": { "a": 1 } }), "texts"),
        (json!({ "values": { "a": "x".repeat(65_536) } }), "65536 bytes"),
    ] {
        let refused = services.broker().provision(&provision(ServiceInstanceGuid::random(), plan.clone(), wrong)).await.unwrap_err();
        assert!(refused.to_string().contains(says), "{refused}");
    }
}

#[tokio::test]
async fn requests_of_the_protocol_may_be_repeated() {
    let services = Services::start();
    let broker = services.broker();
    let ids = services.bound("keyvalue", json!({})).await;
    let (small, large) = (services.plan("keyvalue", "small").await, services.plan("keyvalue", "large").await);
    broker.provision(&provision(ids.instance, small.clone(), json!({}))).await.unwrap();
    assert!(broker.provision(&provision(ids.instance, large, json!({}))).await.is_err(), "another instance of the same guid");
    broker.bind(&bind(ids, small.clone())).await.unwrap();
    let key = BindRequest {
        resource: BindResource::Key,
        ..bind(BindingIds { binding: ServiceCredentialBindingGuid::random(), ..ids }, small.clone())
    };
    let refused = broker.bind(&key).await.unwrap_err();
    assert!(refused.to_string().contains("no credential"), "{refused}");
    broker.fetch_binding(ids, &small, &[]).await.unwrap();
    for _ in 0..2 {
        broker.unbind(&UnbindRequest { ids, plan: small.clone(), accepts_incomplete: true }).await.unwrap();
    }
    for _ in 0..2 {
        let request = DeprovisionRequest { instance: ids.instance, plan: small.clone(), accepts_incomplete: true };
        broker.deprovision(&request).await.unwrap();
    }
    assert!(broker.fetch_instance(ids.instance, &small).await.is_err());
    let answer = services.http.get("http://x/v2/catalog").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PRECONDITION_FAILED, "without a version");
}

#[tokio::test]
async fn a_backup_brings_back_what_was_there() {
    let mut services = Services::start();
    let ids = services.bound("sqlite", json!({})).await;
    let small = services.plan("sqlite", "small").await;
    let change = async |services: &Services, parameters: Value| {
        let update = update(ids.instance, small.clone(), Some(parameters));
        services.broker().update(&update).await.map(|_| ()).map_err(|error| error.to_string())
    };
    services.query(ids, "CREATE TABLE notes (text)").await;
    services.query(ids, "INSERT INTO notes VALUES ('milk')").await;
    change(&services, json!({ "backup": "before" })).await.unwrap();
    services.query(ids, "DROP TABLE notes").await;
    services = services.restart().await;
    assert!(change(&services, json!({ "restore": "after" })).await.unwrap_err().contains("no backup \"after\""));
    for _ in 0..2 {
        change(&services, json!({ "restore": "before" })).await.unwrap();
        assert_eq!(services.query(ids, "SELECT text FROM notes").await.1["rows"], json!([["milk"]]));
        assert_eq!(services.query(ids, "DELETE FROM notes").await.0, StatusCode::OK);
    }
    for name in ["two", "three"] {
        change(&services, json!({ "backup": name })).await.unwrap();
    }
    assert!(change(&services, json!({ "backup": "four" })).await.unwrap_err().contains("at most 3"));
    change(&services, json!({ "delete_backup": "two" })).await.unwrap();
    let fetched = services.broker().fetch_instance(ids.instance, &small).await.unwrap();
    assert_eq!(fetched.parameters["backups"], json!(["before", "three"]));
    let request = DeprovisionRequest { instance: ids.instance, plan: small.clone(), accepts_incomplete: true };
    services.broker().deprovision(&request).await.unwrap();
    assert!(!services.data_of(ids).exists());
}
