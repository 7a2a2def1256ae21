//! What Java's web interfaces promise, asked of real components: resources of jakarta.ws.rs, servlets with sessions and files.

use anyhow::{Context as _, ensure};
use reqwest::{Method, header::HeaderMap};
use virga_tests::{Platform, Push, host_of, lasting};

/// One question to the app: what is asked, and what its answer is.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn ask(platform: &Platform, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> anyhow::Result<Answer> {
    let mut request = platform.http().request(method, format!("{}{path}", platform.api())).header("host", host_of("app"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(body.to_owned()).send().await.with_context(|| path.to_owned())?;
    Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body: answer.text().await? })
}

async fn pushed(sample: &str) -> anyhow::Result<Platform> {
    let platform = Platform::start_with(1, lasting::settings()).await?;
    platform.login().await?;
    platform.push("app", sample, Push::default()).await?;
    Ok(platform)
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn resources_answer_as_their_annotations_say() -> anyhow::Result<()> {
    let platform = pushed("java-resources").await?;
    gets_answer(&platform).await?;
    bodies_are_read(&platform).await?;
    answers_have_heads(&platform).await?;
    failures_are_mapped(&platform).await
}

async fn gets_answer(platform: &Platform) -> anyhow::Result<()> {
    let all = "/api/ask/all/3/x/y%20z?kind=LAKE&kind=RIVER&level=12cm&maybe=4&id=123e4567-e89b-12d3-a456-426614174000&q=of%20it";
    let said = ask(platform, Method::GET, all, &[("cookie", "other=1; crumb=c")], "").await?.body;
    ensure!(said == "3 x/y z [LAKE, RIVER] 12cm c 5 4 123e4567-e89b-12d3-a456-426614174000 of it", "{said}");
    for (path, expected) in [
        ("/api/ask/all/3/x", "3 x [] null null 5 0 null null"),
        ("/api/ask/page?page=4&order=up", "4 up"),
        ("/api/ask/page", "1 null"),
        ("/api/ask/uri?a=%7Bx%7D", "ask/uri a=%7Bx%7D stations/%C3%A4%2Fb?z=a%20b%26c"),
        ("/api/counter", "counter 7"),
        ("/api/counter/", "counter/ 8"),
        ("/api/answer/parts/p%20q", "part p q"),
        ("/api/answer/stream", "streamed"),
        ("/api/answer/tag", "fresh"),
        ("/api/stations/x", STATION_X),
        (
            "/api/answer/map",
            r#"{"half":0.5,"none":null,"list":[1,"x\n",true],"pair":{"left":"\u0001","right":-2},"date":"1971-01-01T00:00:00.005Z"}"#,
        ),
    ] {
        let answer = ask(platform, Method::GET, path, &[], "").await?;
        ensure!(answer.status == 200 && answer.body == expected, "{path}: {} {}", answer.status, answer.body);
    }
    let stations = ask(platform, Method::GET, "/api/stations", &[], "").await?.body;
    ensure!(stations == format!("[{},{}]", STATION_X.replace("\"x\"", "\"a\""), STATION_X.replace("\"x\"", "\"b\"")), "{stations}");
    let deleted = ask(platform, Method::DELETE, "/api/answer/parts/1/inner/2", &[], "").await?.body;
    ensure!(deleted == "no 2 of 1", "{deleted}");
    Ok(())
}

/// Members in the order of their names, and nothing of one that is transient or empty.
const STATION_X: &str =
    r#"{"below":[],"depth":0,"kind":"LAKE","name":"x","open":true,"place":{"latitude":48.5,"squares":[1,2]},"readings":{}}"#;

async fn bodies_are_read(platform: &Platform) -> anyhow::Result<()> {
    let sent =
        r#"{"name":"N\u00fc","depth":3,"readings":{"a":[1,2]},"kind":"RIVER","note":"m","open":false,"below":[{"name":"b"}],"other":{}}"#;
    let back = ask(platform, Method::POST, "/api/stations", &[JSON], sent).await?.body;
    let below = r#"{"below":[],"depth":0,"name":"b","open":true,"place":{"latitude":48.5,"squares":[1,2]},"readings":{}}"#;
    let expected = format!(
        r#"{{"below":[{below}],"depth":3,"kind":"RIVER","name":"Nü","note":"m","open":false,"place":{{"latitude":48.5,"squares":[1,2]}},"readings":{{"a":[1,2]}}}}"#
    );
    ensure!(back == expected, "{back}");
    let many = ask(platform, Method::POST, "/api/stations/many", &[JSON], r#"[{"name":"a"},{}]"#).await?.body;
    ensure!(many == "2 a", "{many}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let said = ask(platform, Method::POST, "/api/ask/form", &form, "x=a+b&y=1&y=2&y=1").await?.body;
    ensure!(said == "a b [1, 2] {x=[a b], y=[1, 2, 1]}", "{said}");
    let plus = ask(platform, Method::POST, "/api/ask/plus", &[("content-type", "text/plain")], "41").await?.body;
    ensure!(plus == "42", "{plus}");
    let level = ask(platform, Method::PUT, "/api/ask/level", &[("content-type", "text/level")], "4cm").await?;
    ensure!((level.body.as_str(), level.header("x-unit"), level.header("content-type")) == ("4;cm\n", "cm", "text/csv"), "{}", level.body);
    Ok(())
}

async fn answers_have_heads(platform: &Platform) -> anyhow::Result<()> {
    for (accept, expected) in [
        ("application/json", r#"{"left":"a","right":1099511627776}"#),
        ("text/*", "plain"),
        ("application/json;q=0.5, text/plain;q=0.9", "plain"),
        ("application/json, text/plain;q=0.9", r#"{"left":"a","right":1099511627776}"#),
    ] {
        let both = ask(platform, Method::GET, "/api/answer/both", &[("accept", accept)], "").await?;
        ensure!(both.body == expected, "{accept}: {}", both.body);
    }
    let whole = ask(platform, Method::GET, "/api/answer/whole", &[], "").await?;
    for (name, expected) in [
        ("content-type", "application/json"),
        ("cache-control", "max-age=60"),
        ("etag", "\"t1\""),
        ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("set-cookie", "k=v; Path=/; HttpOnly"),
        ("x-stamp", "GET 200"),
    ] {
        ensure!(whole.header(name) == expected, "{name}: {}", whole.header(name));
    }
    ensure!(whole.body == r#"[{"left":"b","right":1}]"#, "{}", whole.body);
    let unchanged = ask(platform, Method::GET, "/api/answer/tag", &[("if-none-match", "\"x\", \"abc\"")], "").await?;
    ensure!(unchanged.status == 304 && unchanged.body.is_empty(), "{} {}", unchanged.status, unchanged.body);
    let nothing = ask(platform, Method::GET, "/api/answer/nothing", &[], "").await?;
    ensure!(nothing.status == 204, "{}", nothing.status);
    let options = ask(platform, Method::OPTIONS, "/api/stations", &[], "").await?;
    ensure!(options.header("allow") == "GET, HEAD, OPTIONS, POST", "{}", options.header("allow"));
    let head = ask(platform, Method::HEAD, "/api/answer/both", &[], "").await?;
    ensure!(head.status == 200 && head.header("content-length") == "34", "{} {}", head.status, head.header("content-length"));
    let secret = ask(platform, Method::GET, "/api/ask/secret", &[], "").await?;
    ensure!((secret.status, secret.header("www-authenticate")) == (401, "User"), "{} {}", secret.status, secret.body);
    let secret = ask(platform, Method::GET, "/api/ask/secret", &[("x-user", "me")], "").await?.body;
    ensure!(secret == "me true", "{secret}");
    Ok(())
}

/// Method, path, headers and body; status and body of the answer.
type Asked<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

async fn failures_are_mapped(platform: &Platform) -> anyhow::Result<()> {
    let deep = "[".repeat(5000);
    let asked: [Asked<'_>; 13] = [
        (Method::GET, "/api/answer/throw/state", &[("x-mark", "m")], "", 418, "mapped bad m"),
        (Method::GET, "/api/answer/throw/forbidden", &[], "", 403, "mapped 403"),
        (Method::GET, "/api/answer/throw/conflict", &[], "", 409, "conflict"),
        (Method::GET, "/api/answer/throw/error", &[], "", 500, "Internal Server Error\n"),
        (Method::GET, "/api/none", &[], "", 404, "mapped 404"),
        (Method::GET, "/api/unlisted", &[], "", 404, "mapped 404"),
        (Method::PUT, "/api/stations", &[JSON], "{}", 405, "mapped 405"),
        (Method::GET, "/api/stations", &[("accept", "image/png")], "", 406, "mapped 406"),
        (Method::POST, "/api/stations", &[("content-type", "text/plain")], "x", 415, "mapped 415"),
        (Method::POST, "/api/stations", &[JSON], r#"{"kind":"SEA"}"#, 400, "mapped 400"),
        (Method::POST, "/api/stations", &[JSON], r#"{"depth":1e999999999}"#, 400, "mapped 400"),
        (Method::POST, "/api/stations", &[JSON], &deep, 400, "mapped 400"),
        (Method::GET, "/api/ask/all/x/y", &[], "", 404, "the part of the path 'number' is not what is expected: x\n"),
    ];
    for (method, path, headers, body, status, expected) in asked {
        let answer = ask(platform, method, path, headers, body).await?;
        ensure!(answer.status == status && answer.body == expected, "{path}: {} {}", answer.status, answer.body);
    }
    Ok(())
}

#[tokio::test]
async fn servlets_have_sessions_and_files() -> anyhow::Result<()> {
    let platform = pushed("java-servlet").await?;
    let first = ask(&platform, Method::GET, "/visits", &[], "").await?;
    ensure!(first.body == "1", "{}", first.body);
    let cookie = first.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
    ensure!(cookie.starts_with("JSESSIONID=") && first.header("set-cookie").contains("; HttpOnly"), "{}", first.header("set-cookie"));
    let own = [("cookie", cookie.as_str())];
    let second = ask(&platform, Method::GET, "/visits", &own, "").await?;
    ensure!(second.body == "2" && second.header("set-cookie").is_empty(), "{} {}", second.body, second.header("set-cookie"));
    let other = ask(&platform, Method::GET, "/visits", &[("cookie", "JSESSIONID=guessed")], "").await?;
    ensure!(other.body == "1" && !other.header("set-cookie").contains("guessed"), "{} {}", other.body, other.header("set-cookie"));
    ask(&platform, Method::DELETE, "/visits", &own, "").await?;
    let after = ask(&platform, Method::GET, "/visits", &own, "").await?;
    ensure!(after.body == "1", "{}", after.body);

    let form = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nrain\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; \
        filename=\"a b.txt\"\r\nContent-Type: text/x\r\n\r\none\r\ntwo\r\n--b\r\nContent-Disposition: form-data; name=\"e\"; \
        filename=\"e\"\r\n\r\n\r\n--b--\r\n";
    let type_of_form = [("content-type", "multipart/form-data; boundary=b")];
    let uploaded = ask(&platform, Method::POST, "/upload", &type_of_form, form).await?;
    ensure!(uploaded.body == "title rain\na b.txt text/x 8\ne null 0\n", "{} {}", uploaded.status, uploaded.body);
    let cut = ask(&platform, Method::POST, "/upload", &type_of_form, &form[..form.len() - 30]).await?;
    ensure!(cut.status == 500, "{} {}", cut.status, cut.body);

    let page = ask(&platform, Method::GET, "/pages/", &[], "").await?;
    ensure!(page.body.contains("About the rain") && page.header("content-type") == "text/html", "{} {}", page.status, page.body);
    for (method, path, status) in [
        (Method::HEAD, "/pages/index.html", 200),
        (Method::POST, "/pages/index.html", 405),
        (Method::GET, "/pages/none.html", 404),
        (Method::GET, "/pages/%2e%2e/%2e%2e/etc/passwd", 404),
        (Method::GET, "/WEB-INF/web.xml", 404),
        (Method::GET, "/README.md", 404),
    ] {
        let answer = ask(&platform, method, path, &[], "").await?;
        ensure!(answer.status == status, "{path}: {}", answer.status);
    }
    Ok(())
}
