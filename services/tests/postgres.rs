//! Databases on a real PostgreSQL, whose login may make databases and roles and nothing else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use std::time::Duration;
use support::{Services, bind, provision, update};
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};
use virga_broker::{BindResource, BindingIds, DeprovisionRequest, UnbindRequest};
use virga_model::{ServiceCredentialBindingGuid, ServiceInstanceGuid};
use virga_services::{PostgresServer, ServersConfig};

/// Connections whose task the test does not wait for.
async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    #[expect(clippy::disallowed_methods, reason = "it ends with its client")]
    tokio::spawn(connection);
    Ok(client)
}

/// A PostgreSQL whose login is no superuser.
struct Server {
    superuser: Client,
    login: String,
    url: String,
}

impl Server {
    async fn start() -> Self {
        let given = std::env::var("VIRGA_TEST_POSTGRES_URL")
            .unwrap_or_else(|_| panic!("VIRGA_TEST_POSTGRES_URL is not set; tests/run starts a server and sets it"));
        let superuser = connect(&given).await.unwrap();
        let login = format!("operator_{}", ServiceInstanceGuid::random().to_string().replace('-', ""));
        superuser.batch_execute(&format!("CREATE ROLE {login} LOGIN CREATEDB CREATEROLE PASSWORD 'operator'")).await.unwrap();
        let (_, rest) = given.split_once('@').unwrap();
        let url = format!("postgres://{login}:operator@{rest}?sslmode=disable");
        Self { superuser, login, url }
    }

    fn services(&self) -> Services {
        let postgres = PostgresServer { url: self.url.clone(), ca_file: None };
        Services::start_with(ServersConfig { postgres: Some(postgres), redis: None })
    }

    /// How many databases and roles there are of an instance or binding.
    async fn traces_of(&self, guid: &str) -> i64 {
        let name = format!("%{}%", guid.replace('-', ""));
        let query =
            "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE $1) + (SELECT count(*) FROM pg_roles WHERE rolname LIKE $1)";
        self.superuser.query_one(query, &[&name]).await.unwrap().get(0)
    }

    async fn end(self) {
        self.superuser.batch_execute(&format!("DROP ROLE {}", self.login)).await.unwrap();
    }
}

/// A new instance and its credentials for one app.
async fn bound(services: &Services) -> (BindingIds, Map<String, Value>) {
    let ids = BindingIds { instance: ServiceInstanceGuid::random(), binding: ServiceCredentialBindingGuid::random() };
    let plan = services.plan("postgres", "small").await;
    services.broker().provision(&provision(ids.instance, plan.clone(), json!({}))).await.unwrap();
    let bound = services.broker().bind(&bind(ids, plan)).await.unwrap();
    (ids, bound.binding.credentials)
}

fn text<'a>(credentials: &'a Map<String, Value>, name: &str) -> &'a str {
    credentials[name].as_str().unwrap()
}

fn uri(credentials: &Map<String, Value>) -> String {
    format!("{}?sslmode=disable", text(credentials, "uri"))
}

async fn delete(services: &Services, ids: BindingIds) {
    let plan = services.plan("postgres", "small").await;
    let request = DeprovisionRequest { instance: ids.instance, plan, accepts_incomplete: true };
    services.broker().deprovision(&request).await.unwrap();
}

fn sqlstate(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("", |code| code.code())
}

#[tokio::test]
async fn a_database_is_one_for_all_its_bindings_and_for_nobody_else() {
    let server = Server::start().await;
    let mut services = server.services();
    let (ids, credentials) = bound(&services).await;
    assert_eq!(credentials["url"], json!(format!("http://{}.services.internal", ids.binding)));
    let driver = connect(&uri(&credentials)).await.unwrap();
    driver
        .batch_execute("CREATE TABLE notes (id serial PRIMARY KEY, text text NOT NULL); INSERT INTO notes (text) VALUES ('milk')")
        .await
        .unwrap();
    // The platform's own way in, and after a restart, when its password is another.
    for number in 2..4_i64 {
        let insert = json!({ "sql": "INSERT INTO notes (text) VALUES ($1) RETURNING id", "params": ["bread"] });
        let (status, answer) = services.json(ids, Method::POST, "/v1/query", insert).await;
        assert_eq!((status, &answer["rows"]), (StatusCode::OK, &json!([[number]])), "{answer}");
        services = services.restart().await;
    }
    // Should this end where nobody may come in any more, what was let in for a moment is shut out all the same.
    let query = "SELECT NOT rolcanlogin AND rolvaliduntil < now() + interval '1 minute' FROM pg_roles WHERE rolname = $1";
    let own_way = format!("virga_h_{}", ids.instance.to_string().replace('-', ""));
    assert!(server.superuser.query_one(query, &[&own_way]).await.unwrap().get::<_, bool>(0));

    // A second binding, asked for twice: the first password does not hold any more.
    let (other, plan) = (BindingIds { binding: ServiceCredentialBindingGuid::random(), ..ids }, services.plan("postgres", "small").await);
    let first = services.broker().bind(&bind(other, plan.clone())).await.unwrap().binding.credentials;
    let second = services.broker().bind(&bind(other, plan.clone())).await.unwrap().binding.credentials;
    assert_eq!(sqlstate(&connect(&uri(&first)).await.err().unwrap()), "28P01");
    let driver_of_second = connect(&uri(&second)).await.unwrap();
    driver_of_second
        .batch_execute("ALTER TABLE notes ADD COLUMN done bool; RESET ROLE; SET ROLE NONE; CREATE TABLE own (x int)")
        .await
        .ok();
    assert_eq!(driver.query_one("SELECT count(done) FROM notes", &[]).await.unwrap().get::<_, i64>(0), 0);

    // Another tenant.
    let (stranger, strange) = bound(&services).await;
    let crossed = uri(&strange).replace(text(&strange, "database"), text(&credentials, "database"));
    assert!(connect(&crossed).await.is_err(), "a stranger's login");
    assert_eq!(services.query(BindingIds { binding: stranger.binding, ..ids }, "SELECT 1").await.0, StatusCode::FORBIDDEN);

    let unbind = UnbindRequest { ids: other, plan, accepts_incomplete: true };
    services.broker().unbind(&unbind).await.unwrap();
    assert!(driver_of_second.simple_query("SELECT 1").await.is_err(), "a session of a binding that is gone");
    assert!(connect(&uri(&second)).await.is_err());
    assert_eq!(server.traces_of(&other.binding.to_string()).await, 0);
    assert_eq!(driver.query_one("SELECT count(*) FROM notes", &[]).await.unwrap().get::<_, i64>(0), 3, "what the others made stays");

    for gone in [ids, stranger] {
        delete(&services, gone).await;
        assert_eq!(server.traces_of(&gone.instance.to_string()).await + server.traces_of(&gone.binding.to_string()).await, 0);
    }
    server.end().await;
}

#[tokio::test]
async fn values_of_every_usual_type_come_as_they_went() {
    let server = Server::start().await;
    let services = server.services();
    let (ids, _) = bound(&services).await;
    let statement = "CREATE TABLE v (b bool, i int, l bigint, d float8, n numeric, t text, u uuid, j jsonb, r bytea, ts timestamptz, day date, a text[], ints int[])";
    assert_eq!(services.query(ids, statement).await.0, StatusCode::OK);
    let row = json!([
        true, -1, 9_007_199_254_740_993_i64, 0.5, "12345678901234567890.000010", "a\u{0301}'\"", "00000000-0000-0000-0000-000000000007",
        { "a": [1, null] }, { "$base64": "AP8=" }, "2026-11-24T10:00:00.5Z", "2026-02-28", ["x", null, "{,\"}"], [1, 2]
    ]);
    let insert = json!({ "sql": "INSERT INTO v VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)", "params": row });
    let (status, answer) = services.json(ids, Method::POST, "/v1/query", insert).await;
    assert_eq!((status, &answer["rows_affected"]), (StatusCode::OK, &json!(1)), "{answer}");
    let (_, answer) = services.query(ids, "SELECT * FROM v").await;
    assert_eq!(answer["rows"][0], row);
    for (sql, shown) in [
        (
            "SELECT 0.00001::numeric, -1234.5::numeric, 10000::numeric, 0::numeric(5,2), 'NaN'::numeric",
            json!(["0.00001", "-1234.5", "10000", "0.00", "NaN"]),
        ),
        (
            "SELECT 'NaN'::float8, NULL::int, ARRAY[]::int[], count(*), sum(i), avg(i) FROM v",
            json!(["NaN", null, [], 1, -1, "-1.00000000000000000000"]),
        ),
        ("SELECT to_jsonb(now()) IS NULL, '12:30'::time, CAST('1 day'::interval AS text)", json!([false, "12:30:00", "1 day"])),
    ] {
        let (_, answer) = services.query(ids, sql).await;
        assert_eq!(answer["rows"], json!([shown]), "{sql}: {answer}");
    }
    delete(&services, ids).await;
    server.end().await;
}

#[tokio::test]
async fn hostile_statements_are_refused_and_leave_the_database_in_use() {
    let server = Server::start().await;
    let services = server.services();
    let ((ids, credentials), (other, _)) = (bound(&services).await, bound(&services).await);
    let database = text(&credentials, "database");
    let victim = format!("virga_{}", other.instance.to_string().replace('-', ""));
    for (sql, status, says) in [
        ("COMMIT".to_owned(), 403, "/v1/batch"),
        ("SELECT 1; SELECT 2".to_owned(), 400, "multiple commands"),
        ("SELEC".to_owned(), 400, "syntax"),
        ("CREATE ROLE more".to_owned(), 403, "permission denied"),
        ("CREATE DATABASE more".to_owned(), 400, "transaction block"),
        (format!("ALTER DATABASE {database} CONNECTION LIMIT -1"), 403, "must be owner"),
        (format!("ALTER DATABASE {database} SET default_transaction_read_only = off"), 403, "must be owner"),
        (format!("GRANT {victim} TO CURRENT_USER"), 403, ""),
        (format!("SET ROLE {victim}"), 403, "permission denied"),
        (format!("SET ROLE {}", server.login), 403, "permission denied"),
        ("SELECT pg_read_file('/etc/passwd')".to_owned(), 403, "permission denied"),
        ("COPY (SELECT 1) TO PROGRAM 'id'".to_owned(), 403, ""),
        ("SELECT rolpassword FROM pg_authid".to_owned(), 403, "permission denied"),
        ("SELECT repeat('x', 5000000)".to_owned(), 413, "4194304 bytes"),
        ("SELECT generate_series(1, 10001)".to_owned(), 413, "10000 rows"),
        ("SELECT '1 day'::interval".to_owned(), 400, "CAST("),
        ("SELECT pg_sleep(30)".to_owned(), 408, "5 seconds"),
        ("INSERT INTO missing VALUES (1)".to_owned(), 400, "42P01"),
    ] {
        let (answered, answer) = services.query(ids, &sql).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(answered.as_u16() == status && message.contains(says), "{sql}: {answered} {answer}");
    }
    // Whoever gives the role of the platform's own way in a password gets nowhere by it.
    let known = json!({ "statements": [{ "sql": "SET ROLE NONE" }, { "sql": "ALTER ROLE CURRENT_USER PASSWORD 'known'" }] });
    let (status, answer) = services.json(ids, Method::POST, "/v1/batch", known).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let role = format!("virga_h_{}", ids.instance.to_string().replace('-', ""));
    let (_, place) = text(&credentials, "uri").split_once('@').unwrap();
    assert!(connect(&format!("postgres://{role}:known@{place}?sslmode=disable")).await.is_err());
    // A session is nobody's state, and one that waits forever is ended.
    let (status, _) = services.query(ids, "SET statement_timeout = 0").await;
    assert_eq!(status, StatusCode::OK);
    let told = services.query(ids, "SHOW statement_timeout").await.1;
    assert_eq!(told["rows"], json!([["5s"]]));
    let late = json!({ "statements": [{ "sql": "SET LOCAL statement_timeout = 0" }, { "sql": "SELECT pg_sleep(30)" }] });
    assert_eq!(services.json(ids, Method::POST, "/v1/batch", late).await.0, StatusCode::REQUEST_TIMEOUT);
    let half = json!({ "statements": [{ "sql": "CREATE TABLE half (x int UNIQUE)" }, { "sql": "INSERT INTO half VALUES (1), (1)" }] });
    let (status, answer) = services.json(ids, Method::POST, "/v1/batch", half).await;
    assert!(status == StatusCode::CONFLICT && answer["error"]["message"].as_str().unwrap().contains("23505"), "{answer}");
    assert_eq!(services.query(ids, "SELECT to_regclass('half') IS NULL").await.1["rows"], json!([[true]]));
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND state = 'active' AND pid <> pg_backend_pid() AND datname = $1";
    assert_eq!(server.superuser.query_one(sleeping, &[&database]).await.unwrap().get::<_, i64>(0), 0, "what took too long was stopped");
    for gone in [ids, other] {
        delete(&services, gone).await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_database_that_is_full_reads_and_one_twice_as_full_is_closed() {
    let server = Server::start().await;
    let mut services = server.services();
    let (ids, credentials) = bound(&services).await;
    // What random bytes take is not made smaller.
    let fill = "INSERT INTO t SELECT decode(string_agg(md5(random()::text), ''), 'hex') FROM generate_series(1, 64000) GROUP BY generate_series % 64";
    assert_eq!(services.query(ids, "CREATE TABLE t (x bytea)").await.0, StatusCode::OK);
    let driver = connect(&uri(&credentials)).await.unwrap();
    driver.batch_execute("ALTER TABLE t ALTER COLUMN x SET STORAGE EXTERNAL").await.unwrap();
    let grow = async |to: i64| {
        let driver = connect(&uri(&credentials)).await.unwrap();
        driver.batch_execute("SET default_transaction_read_only = off").await.unwrap();
        while driver.query_one("SELECT pg_database_size(current_database())", &[]).await.unwrap().get::<_, i64>(0) <= to {
            driver.batch_execute(fill).await.unwrap();
        }
    };
    let look = async |services: &Services, plan: &str| {
        let plan = services.plan("postgres", plan).await;
        services.broker().update(&update(ids.instance, plan, None)).await
    };
    grow(64 << 20).await;
    let error = look(&services, "small").await.unwrap_err();
    assert!(format!("{error:?}").contains("more than the plan allows"), "{error:?}");
    // The look of every half minute; nothing else tells that it was.
    let until_ended = async |driver: Client| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while driver.simple_query("SELECT 1").await.is_ok() {
            assert!(Instant::now() < deadline, "nobody looks at what databases hold");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    until_ended(driver).await;
    let (status, answer) = services.query(ids, "INSERT INTO t VALUES ('')").await;
    assert!(status == StatusCode::INSUFFICIENT_STORAGE && answer["error"]["message"].as_str().unwrap().contains("plan"), "{answer}");
    assert_eq!(services.query(ids, "SELECT count(*) > 0 FROM t").await.1["rows"], json!([[true]]));
    let plan = services.plan("postgres", "small").await;
    let shown = services.broker().fetch_instance(ids.instance, &plan).await.unwrap();
    assert!(shown.parameters["usage"]["bytes"].as_u64().unwrap() > 64 << 20 && shown.parameters["usage"]["bytes_limit"] == json!(64 << 20));

    let driver = connect(&uri(&credentials)).await.unwrap();
    grow(128 << 20).await;
    until_ended(driver).await;
    assert_eq!(sqlstate(&connect(&uri(&credentials)).await.err().unwrap()), "42501", "twice what the plan allows");
    // Also before a new process has looked.
    for _ in 0..2 {
        let (status, answer) = services.query(ids, "SELECT 1").await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(status == StatusCode::INSUFFICIENT_STORAGE && message.contains("twice"), "{answer}");
        services = services.restart().await;
    }
    look(&services, "large").await.unwrap();
    connect(&uri(&credentials)).await.unwrap();
    assert_eq!(services.query(ids, "INSERT INTO t VALUES ('')").await.0, StatusCode::OK, "the plan has room");
    delete(&services, ids).await;
    server.end().await;
}

#[tokio::test]
async fn keys_are_logins_too_and_without_a_server_nothing_is_offered() {
    let server = Server::start().await;
    let services = server.services();
    let (ids, _) = bound(&services).await;
    let (key, plan) = (BindingIds { binding: ServiceCredentialBindingGuid::random(), ..ids }, services.plan("postgres", "small").await);
    let mut request = bind(key, plan);
    request.resource = BindResource::Key;
    let credentials = services.broker().bind(&request).await.unwrap().binding.credentials;
    assert!(!credentials.contains_key("url"), "the platform leads nobody there who is no app");
    assert_eq!(connect(&uri(&credentials)).await.unwrap().query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    delete(&services, ids).await;

    let names: Vec<_> = Services::start().broker().catalog().await.unwrap().services.into_iter().map(|service| service.name).collect();
    assert_eq!(names, ["keyvalue", "sqlite", "config"]);
    let gone = PostgresServer { url: "postgres://nobody@127.0.0.1:1/x?sslmode=disable".into(), ca_file: None };
    let services = Services::start_with(ServersConfig { postgres: Some(gone), redis: None });
    let plan = services.plan("postgres", "small").await;
    let error = services.broker().provision(&provision(ids.instance, plan, json!({}))).await.unwrap_err();
    assert!(format!("{error:?}").contains("PostgreSQL"), "{error:?}");
    server.end().await;
}
