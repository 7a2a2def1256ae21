//! What the bridge between JavaScript and HTTP does with a request's headers, which it fetches only as they are asked for.

use anyhow::ensure;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use virga_tests::{Platform, host_of};

const APP: &str = "let kept;
export default { async fetch({ url, headers }, env, context) {
  if (url.endsWith('/late')) {
    headers.get('x-one');
    context.waitUntil(new Promise((done) => setTimeout(done, 1)).then(() => { kept = headers.get('x-two'); }));
    return new Response('answered');
  }
  if (url.endsWith('/kept')) return Response.json([kept]);
  const single = ['X-One', 'x-none', 'cookie'].map((name) => headers.get(name));
  const more = ['x-empty', 'x-bytes', 'x-list', 'x-one'].map((name) => headers.get(name));
  const all = [...headers].filter(([name]) => name === 'x-bytes' || name === 'cookie');
  headers.set('x-one', 'mine');
  return Response.json({ single, more, all, set: headers.get('x-one') });
} };
";

#[tokio::test]
async fn headers_are_the_same_one_by_one_and_together() -> anyhow::Result<()> {
    let platform = Platform::start(1).await?;
    platform.login().await?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("package.json"), r#"{"name":"headers","type":"module","main":"app.js"}"#)?;
    std::fs::write(folder.path().join("app.js"), APP)?;
    platform.ok(&["push", "headers", "-p", &folder.path().to_string_lossy()]).await?;
    let ask = |path: &str| platform.http().get(format!("{}{path}", platform.api())).header("host", host_of("headers"));

    // The first value is UTF-8, the second is not and is read byte by byte.
    for (sent, read) in [("h\u{e4}".as_bytes(), "h\u{e4}"), (b"\xe4\xff".as_slice(), "\u{e4}\u{ff}")] {
        let asked = ask("/").header("x-one", "1").header("cookie", "a=1").header("cookie", "b=2").header("x-empty", "");
        let asked = asked.header("x-list", "1").header("x-list", "2").header("x-bytes", HeaderValue::from_bytes(sent)?);
        let told: Value = asked.send().await?.error_for_status()?.json().await?;
        ensure!(told["single"] == json!(["1", null, "a=1; b=2"]), "{told}");
        ensure!(told["more"] == json!(["", read, "1, 2", "1"]), "{told}");
        ensure!(told["all"] == json!([["cookie", "a=1; b=2"], ["x-bytes", read]]), "{told}");
        ensure!(told["set"] == "mine", "{told}");
    }

    // What the app waits for after the answer may still ask.
    let late = ask("/late").header("x-one", "1").header("x-two", "2").send().await?.error_for_status()?;
    ensure!(late.text().await? == "answered");
    let kept: Value = ask("/kept").send().await?.error_for_status()?.json().await?;
    ensure!(kept == json!(["2"]), "{kept}");
    Ok(())
}
