//! Static sites through the cell.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use std::collections::BTreeMap;
use std::fs;
use support::{App, World, limits};
use virga_contract::body;
use virga_model::{
    droplet::{Compression, HeaderRule, MADE_COMPRESSED, StaticSite},
    state::InstanceState,
};

async fn ask(world: &World, app: &App, method: Method, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = http::Request::builder().method(method).uri(path).header("host", "a");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = world.send(app, request.body(body::empty()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
}

fn site() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let big: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    fs::create_dir_all(folder.path().join("docs/deep dir")).unwrap();
    fs::write(folder.path().join("index.html"), "<h1>home</h1>").unwrap();
    fs::write(folder.path().join("docs/page.css"), "body{}").unwrap();
    fs::write(folder.path().join("docs/deep dir/a&b.txt"), "text").unwrap();
    fs::write(folder.path().join(".secret"), "no").unwrap();
    fs::write(folder.path().join("big.bin"), &big).unwrap();
    (folder, big)
}

#[tokio::test]
async fn files_come_with_type_tag_and_ranges() {
    let world = World::new(limits());
    let (folder, big) = site();
    let app = world.push_site(folder.path(), StaticSite::default());
    assert_eq!(world.settled(&app).await.0, InstanceState::Running);

    let (status, headers, bytes) = ask(&world, &app, Method::GET, "/", &[]).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, &b"<h1>home</h1>"[..]));
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[header::CONTENT_LENGTH], "13");
    let tag = headers[header::ETAG].to_str().unwrap();
    let (status, _, bytes) = ask(&world, &app, Method::GET, "/", &[("if-none-match", tag)]).await;
    assert_eq!((status, bytes.len()), (StatusCode::NOT_MODIFIED, 0));

    let (status, headers, bytes) = ask(&world, &app, Method::GET, "/big.bin", &[]).await;
    assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, "application/octet-stream"));
    assert_eq!(bytes, big);
    let (status, headers, bytes) = ask(&world, &app, Method::GET, "/big.bin", &[("range", "bytes=1000-650999")]).await;
    assert_eq!((status, headers[header::CONTENT_RANGE].to_str().unwrap()), (StatusCode::PARTIAL_CONTENT, "bytes 1000-650999/700000"));
    assert_eq!(bytes, big[1000..651_000]);
    let (status, headers, _) = ask(&world, &app, Method::GET, "/big.bin", &[("range", "bytes=700000-")]).await;
    assert_eq!((status, headers[header::CONTENT_RANGE].to_str().unwrap()), (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */700000"));
    let (status, _, bytes) = ask(&world, &app, Method::GET, "/big.bin", &[("range", "bytes=0-1"), ("if-range", "\"old\"")]).await;
    assert_eq!((status, bytes.len()), (StatusCode::OK, big.len()));
    let (status, headers, bytes) = ask(&world, &app, Method::HEAD, "/big.bin", &[]).await;
    assert_eq!((status, headers[header::CONTENT_LENGTH].to_str().unwrap(), bytes.len()), (StatusCode::OK, "700000", 0));
    assert_eq!(ask(&world, &app, Method::POST, "/", &[]).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(world.host.reports()[0].usage.wasm_instances, 0);
}

#[tokio::test]
async fn folders_redirect_list_or_stay_shut() {
    let world = World::new(limits());
    let (folder, _) = site();
    let shut = world.push_site(folder.path(), StaticSite::default());
    let listed = world.push_site(folder.path(), StaticSite { directory_listing: true, ..StaticSite::default() });
    let single_page = world.push_site(folder.path(), StaticSite { pushstate: true, ..StaticSite::default() });
    let (status, headers, _) = ask(&world, &shut, Method::GET, "/docs?x=1", &[]).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::MOVED_PERMANENTLY, "/docs/?x=1"));
    assert_eq!(ask(&world, &shut, Method::GET, "/docs/", &[]).await.0, StatusCode::NOT_FOUND);
    let (status, _, page) = ask(&world, &listed, Method::GET, "/docs/deep%20dir/", &[]).await;
    let page = String::from_utf8(page).unwrap();
    assert!(status == StatusCode::OK && page.contains("<a href=\"./a%26b.txt\">a&amp;b.txt</a>"), "{page}");
    assert_eq!(ask(&world, &shut, Method::GET, "/any/route", &[]).await.0, StatusCode::NOT_FOUND);
    let (status, headers, page) = ask(&world, &single_page, Method::GET, "/any/route", &[]).await;
    assert_eq!((status, page.as_slice()), (StatusCode::OK, &b"<h1>home</h1>"[..]));
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
}

#[tokio::test]
async fn nothing_outside_the_site_is_served() {
    let world = World::new(limits());
    let (folder, _) = site();
    let app = world.push_site(folder.path(), StaticSite::default());
    ask(&world, &app, Method::GET, "/", &[]).await;
    // A link that could only have come from outside the platform's own unpacking.
    let droplets = world.cache.path().join("droplets");
    let files = fs::read_dir(droplets).unwrap().next().unwrap().unwrap().path().join("files");
    std::os::unix::fs::symlink("/etc/passwd", files.join("passwd")).unwrap();
    std::os::unix::fs::symlink("/etc", files.join("etc")).unwrap();
    for path in ["/passwd", "/etc/passwd", "/.secret", "/../droplet.json", "/%2e%2e/droplet.json", "/docs/..%2f..%2fdroplet.json", "/%00"] {
        assert_eq!(ask(&world, &app, Method::GET, path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn compressed_forms_are_given_to_who_takes_them() {
    let world = World::new(limits());
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join(MADE_COMPRESSED)).unwrap();
    for (name, text) in
        [("a.js", "plain"), ("a.js.br", "brotli"), ("a.js.gz", "gzip"), ("b.js", "plain b"), (".virga-compressed/b.js.gz", "made")]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let app = world.push_site(
        folder.path(),
        StaticSite {
            compressed: vec![Compression::Brotli, Compression::Gzip],
            directory_listing: true,
            host_dot_files: true,
            ..StaticSite::default()
        },
    );
    let mut tags = Vec::new();
    for (path, takes, text, form) in [
        ("/a.js", "gzip, br", "brotli", Some("br")),
        ("/a.js", "gzip", "gzip", Some("gzip")),
        ("/a.js", "br;q=0", "plain", None),
        ("/b.js", "gzip, br", "made", Some("gzip")),
    ] {
        let (status, headers, bytes) = ask(&world, &app, Method::GET, path, &[("accept-encoding", takes)]).await;
        assert_eq!((status, String::from_utf8(bytes).unwrap().as_str()), (StatusCode::OK, text));
        assert_eq!(headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap()), form);
        assert_eq!(headers[header::VARY], "Accept-Encoding");
        assert_eq!(headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        tags.push(headers[header::ETAG].to_str().unwrap().to_owned());
    }
    assert!(tags[0] != tags[1] && tags[1] != tags[2], "{tags:?}");
    let (status, headers, _) = ask(&world, &app, Method::GET, "/a.js", &[("accept-encoding", "gzip"), ("if-none-match", &tags[1])]).await;
    assert_eq!((status, headers.get(header::CONTENT_ENCODING)), (StatusCode::NOT_MODIFIED, None));
    assert_eq!(ask(&world, &app, Method::GET, "/.virga-compressed/b.js.gz", &[]).await.0, StatusCode::NOT_FOUND);
    let (_, _, listed) = ask(&world, &app, Method::GET, "/", &[]).await;
    let listed = String::from_utf8(listed).unwrap();
    assert!(listed.contains("a.js.br") && !listed.contains("virga"), "{listed}");
}

#[tokio::test]
async fn a_site_may_ask_who_comes_and_how() {
    let world = World::new(limits());
    let (folder, _) = site();
    fs::write(folder.path().join("gone.html"), "<h1>gone</h1>").unwrap();
    let app = world.push_site(
        folder.path(),
        StaticSite {
            force_https: true,
            strict_transport_security: Some("max-age=5".into()),
            error_pages: BTreeMap::from([(404, "gone.html".to_owned())]),
            headers: vec![HeaderRule { path: "/docs/*".into(), headers: vec![("x-docs".into(), "yes".into())] }],
            users: BTreeMap::from([("bob".to_owned(), "{SHA}CEo1Ae3vaEXy8eQZjsOiuBz1xrw=".to_owned())]),
            host_dot_files: true,
            ..StaticSite::default()
        },
    );
    let (status, headers, _) = ask(&world, &app, Method::GET, "/a?b=c", &[("x-forwarded-proto", "http")]).await;
    assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::MOVED_PERMANENTLY, "https://a/a?b=c"));
    let (status, headers, _) = ask(&world, &app, Method::GET, "/docs/page.css", &[]).await;
    assert_eq!(
        (status, headers[header::WWW_AUTHENTICATE].to_str().unwrap()),
        (StatusCode::UNAUTHORIZED, "Basic realm=\"Restricted\", charset=\"UTF-8\"")
    );
    let bob = ("authorization", "Basic Ym9iOnNlc2FtZQ==");
    let (status, headers, _) = ask(&world, &app, Method::GET, "/docs/page.css", &[bob, ("x-forwarded-proto", "https")]).await;
    assert_eq!((status, headers["x-docs"].to_str().unwrap()), (StatusCode::OK, "yes"));
    assert_eq!(headers[header::STRICT_TRANSPORT_SECURITY], "max-age=5");
    let (status, headers, page) = ask(&world, &app, Method::GET, "/nothing", &[bob]).await;
    assert_eq!((status, page.as_slice()), (StatusCode::NOT_FOUND, &b"<h1>gone</h1>"[..]));
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(ask(&world, &app, Method::GET, "/.secret", &[bob]).await.2, b"no");
}
