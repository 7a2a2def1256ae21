//! The pages, by a browser without scripts.

use crate::{
    browser::{Browser, Form, HOST},
    support::{ADMIN_PASSWORD, Harness},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use virga_model::Sha256Digest;
use virga_serve::axum::{
    body::Body,
    http::{Method, Request},
};
use virga_uaa::{PasswordPolicy, UaaSettings};

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

fn challenge() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256Digest::of(VERIFIER.as_bytes()).as_bytes())
}

fn passcode_of(html: &str) -> String {
    html.split("<code id=\"passcode\">").nth(1).unwrap_or_else(|| panic!("{html}")).split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn cf_login_sso_takes_a_passcode_once() {
    let uaa = Harness::start().await;
    let mut browser = Browser::new(&uaa);
    assert_eq!(browser.get("/passcode").await.location.as_deref(), Some("/login?next=%2Fpasscode"));
    let page = browser.log_in("/passcode", "admin", ADMIN_PASSWORD).await;
    let passcode = passcode_of(&page.html);
    let log_in = async |passcode: &str| uaa.form("/oauth/token", Some("cf:"), &[("grant_type", "password"), ("passcode", passcode)]).await;
    let token = log_in(&format!(" {passcode}\n")).await;
    assert_eq!(token.status, 200, "{}", token.body);
    assert_eq!(uaa.get("/userinfo", &token.text("access_token")).await.text("user_name"), "admin");
    log_in(&passcode).await.is(401, "unauthorized");
    let late = passcode_of(&browser.visit("/passcode").await.html);
    uaa.wait(300);
    log_in(&late).await.is(401, "unauthorized");
    uaa.wait(28_800);
    assert_eq!(browser.get("/passcode").await.location.as_deref(), Some("/login?next=%2Fpasscode"), "the session is over");
}

#[tokio::test]
async fn pages_have_a_strict_policy_and_programs_get_json() {
    let uaa = Harness::start().await;
    let page = Browser::new(&uaa).get("/login").await;
    let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
    assert_eq!(
        header("content-security-policy"),
        "default-src 'none'; style-src 'self'; form-action 'self' ; frame-ancestors 'none'; base-uri 'none'"
    );
    assert_eq!((header("x-frame-options").as_str(), header("cache-control").as_str()), ("DENY", "no-store"));
    assert_eq!(header("referrer-policy"), "same-origin", "else browsers send forms with Origin: null");
    assert!(!page.html.contains("<script") && page.html.contains("<label for=\"password\">"));
    let request = |host: &str, proto: &str| {
        let request = Request::get("/login").header("host", host).header("accept", "text/html").header("x-forwarded-proto", proto);
        request.body(Body::empty()).unwrap()
    };
    let secure = uaa.send(request("login.virga.localhost", "https")).await;
    let cookie = secure.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-uaa-csrf=") && cookie.contains("; Secure"), "{cookie}");
    let elsewhere = uaa.send(request("evil.example", "http")).await;
    assert_eq!(elsewhere.location.as_deref(), Some("http://login.virga.localhost:8080/login"));
    let json = Request::get("/passcode").header("host", HOST).header("accept", "application/json");
    uaa.send(json.body(Body::empty()).unwrap()).await.is(401, "unauthorized");
}

#[tokio::test]
async fn wrong_passwords_say_nothing_about_names_and_lock_names_that_nobody_has_too() {
    let uaa = Harness::start().await;
    uaa.create_user("ann", "secret").await;
    let mut seen = Vec::new();
    for name in ["ann", "nobody"] {
        let mut browser = Browser::new(&uaa);
        let mut answers = Vec::new();
        for _ in 0..6 {
            let answer = browser.log_in("/login", name, "wrong").await;
            answers
                .push((answer.status, answer.html.replace(name, "NAME").split("<p class=\"message\"").nth(1).unwrap()[..120].to_owned()));
        }
        assert!(browser.cookies.keys().all(|cookie| cookie != "uaa-session"));
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0][0].1.contains("wrong") && seen[0][5].1.contains("locked"), "{seen:?}");
}

#[tokio::test]
async fn forms_of_other_pages_are_refused() {
    let uaa = Harness::start().await;
    let mut browser = Browser::new(&uaa);
    let page = browser.get("/login").await;
    let form = Form::of(&page.html, "/login.do").with("username", "admin").with("password", ADMIN_PASSWORD);
    // An app of the same domain is the same site to a browser, and may set cookies for it.
    for origin in ["http://evil.example", "http://app.apps.virga.localhost:8080", "null", "https://login.virga.localhost"] {
        assert_eq!(browser.submit_from(&form, origin).await.status, 403, "{origin}");
    }
    assert_eq!(browser.submit(&form.clone().with("csrf", "x")).await.status, 403);
    assert_eq!(Browser::new(&uaa).submit(&form).await.status, 403, "another browser");
    assert_eq!(browser.submit(&form).await.status, 303);
    let before = Form::of(&browser.visit("/change_password").await.html, "/change_password");
    assert_eq!(browser.submit_from(&before, "http://evil.example").await.status, 403);
    let mut other = Browser::new(&uaa);
    other.log_in("/login", "admin", ADMIN_PASSWORD).await;
    assert_eq!(other.submit(&before).await.status, 403, "another session's token");
}

#[tokio::test]
async fn nobody_is_sent_to_places_of_others() {
    let uaa = Harness::start().await;
    for next in ["https://evil.example/", "//evil.example/", "/\\evil.example/", "/oauth/token"] {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        let page = Browser::new(&uaa).log_in(&format!("/login?{query}"), "admin", ADMIN_PASSWORD).await;
        assert!(page.html.contains("Your account"), "{next}: {}", page.html);
    }
    let mut browser = Browser::new(&uaa);
    browser.log_in("/login", "admin", ADMIN_PASSWORD).await;
    let answer = browser.get("/logout.do?redirect=https%3A%2F%2Fevil.example&client_id=ssh-proxy").await;
    assert_eq!(answer.location.as_deref(), Some("/login"));
    assert!(!browser.cookies.contains_key("uaa-session"));
    let answer = browser.get("/logout.do?redirect=http%3A%2F%2Flocalhost%2F&client_id=ssh-proxy").await;
    assert_eq!(answer.location.as_deref(), Some("http://localhost/"));
}

#[tokio::test]
async fn a_session_that_was_ended_is_no_longer_good() {
    let uaa = Harness::start().await;
    let mut browser = Browser::new(&uaa);
    browser.log_in("/login", "admin", ADMIN_PASSWORD).await;
    let cookies = browser.cookies.clone();
    browser.get("/logout.do").await;
    browser.cookies = cookies;
    assert!(browser.get("/profile").await.location.unwrap().starts_with("/login"));
}

#[tokio::test]
async fn a_user_approves_a_client_scope_by_scope() {
    let uaa = Harness::start().await;
    let client = json!({
        "name": "The <Shop>", "authorized_grant_types": ["authorization_code", "refresh_token"], "redirect_uri": ["https://shop.example/cb?a=1"],
        "scope": ["openid", "profile", "cloud_controller.read"], "autoapprove": ["profile"],
    });
    uaa.create_secret_client("shop", &client).await;
    let redirect = "https%3A%2F%2Fshop.example%2Fcb%3Fa%3D1";
    let ask = format!(
        "/oauth/authorize?client_id=shop&response_type=code&redirect_uri={redirect}&state=s%26t&nonce=n1&code_challenge={}&code_challenge_method=S256",
        challenge()
    );
    let mut browser = Browser::new(&uaa);
    let silent = browser.get(&format!("{ask}&prompt=none")).await;
    assert!(silent.location.unwrap().contains("error=login_required"));
    let login = browser.visit(&ask).await;
    assert!(login.headers["content-security-policy"].to_str().unwrap().contains("form-action 'self' https://shop.example;"));
    let page = browser.log_in(&ask, "admin", ADMIN_PASSWORD).await;
    assert!(page.html.contains("The &#60;Shop&#62;") && page.html.contains("It has already: profile"), "{}", page.html);
    let form = Form::of(&page.html, "/oauth/authorize").with("answer", "approve").unchecked("scope", "cloud_controller.read");
    let denied = browser.submit(&form.clone().with("answer", "deny")).await.location.unwrap();
    assert!(denied.starts_with("https://shop.example/cb?a=1&error=access_denied") && denied.ends_with("&state=s%26t"), "{denied}");
    let approved = browser.submit(&form).await.location.unwrap();
    let url = url::Url::parse(&approved).unwrap();
    let field = |name: &str| url.query_pairs().find(|(field, _)| field == name).map(|(_, value)| value.into_owned()).unwrap_or_default();
    assert_eq!((field("state").as_str(), url.host_str()), ("s&t", Some("shop.example")));
    let exchange = async |verifier: &str, redirect: &str, code: &str| {
        let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect), ("code_verifier", verifier)];
        uaa.form("/oauth/token", Some("shop:s"), &fields).await
    };
    let code = field("code");
    let tokens = exchange(VERIFIER, "https://shop.example/cb?a=1", &code).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    assert_eq!(tokens.text("scope"), "openid profile");
    let id: serde_json::Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(tokens.text("id_token").split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!((id["nonce"].as_str(), id["aud"].clone()), (Some("n1"), json!(["shop"])));
    exchange(VERIFIER, "https://shop.example/cb?a=1", &code).await.is(400, "invalid_grant");

    let silent = browser.get(&format!("{ask}&prompt=none&scope=openid")).await.location.unwrap();
    assert!(silent.contains("code="), "approved before: {silent}");
    let consent = browser.get(&format!("{ask}&scope=openid&prompt=consent")).await;
    assert!(consent.html.contains("Approve access"), "{}", consent.html);
    let code = browser.submit(&Form::of(&consent.html, "/oauth/authorize").with("answer", "approve")).await.location.unwrap();
    assert!(code.contains("code="), "{code}");
    let again = browser.get(&format!("{ask}&scope=openid&prompt=login")).await.location.unwrap();
    assert!(again.starts_with("/login?next=") && again.ends_with("&again=true"), "{again}");
    let back = browser.log_in(&again, "admin", ADMIN_PASSWORD).await.location.unwrap();
    assert!(back.contains("code="), "{back}");
    for (verifier, redirect) in
        [("b-verifier-of-at-least-forty-three-characters", "https://shop.example/cb?a=1"), (VERIFIER, "https://evil.example/")]
    {
        let location = browser.get(&format!("{ask}&scope=openid")).await.location.unwrap();
        let code = url::Url::parse(&location).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        exchange(verifier, redirect, &code).await.is(400, "invalid_grant");
    }
    let location = browser.get(&format!("{ask}&scope=openid")).await.location.unwrap();
    let code = url::Url::parse(&location).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    uaa.wait(300);
    exchange(VERIFIER, "https://shop.example/cb?a=1", &code).await.is(400, "invalid_grant");

    let profile = browser.visit("/profile").await;
    assert!(profile.html.contains("<strong>shop</strong>: openid"), "{}", profile.html);
    let revoked = browser.submit(&Form::of(&profile.html, "/profile")).await;
    assert!(revoked.html.contains("no longer has access") && !revoked.html.contains("<strong>shop</strong>"));
    let refresh = tokens.text("refresh_token");
    uaa.form("/oauth/token", Some("shop:s"), &[("grant_type", "refresh_token"), ("refresh_token", &refresh)])
        .await
        .is(401, "invalid_token");
    assert!(browser.get(&ask).await.html.contains("Approve access"), "asked again");
}

#[tokio::test]
async fn bad_requests_for_authorization_go_to_the_user_or_the_client() {
    let uaa = Harness::start().await;
    let client = json!({"authorized_grant_types": ["authorization_code"], "redirect_uri": ["https://a.example/"], "scope": ["openid"], "autoapprove": true});
    uaa.create_secret_client("web", &client).await;
    let public = json!({
        "client_id": "spa", "authorized_grant_types": ["authorization_code", "refresh_token"], "redirect_uri": ["https://a.example/"],
        "scope": ["openid"], "autoapprove": true, "allowpublic": true,
    });
    let token = uaa.client_token("op", &["clients.admin"]).await;
    assert_eq!(uaa.call(Method::POST, "/oauth/clients", Some(&token), Some(public)).await.status, 201);
    let mut browser = Browser::new(&uaa);
    browser.log_in("/login", "admin", ADMIN_PASSWORD).await;
    for (query, status) in [
        ("response_type=code", 400),
        ("client_id=nobody&response_type=code", 400),
        ("client_id=web&response_type=code&redirect_uri=https%3A%2F%2Fevil.example%2F", 400),
        ("client_id=cf&response_type=code", 400),
    ] {
        let answer = browser.get(&format!("/oauth/authorize?{query}")).await;
        assert_eq!((answer.status, answer.location), (status, None), "{query}");
        assert!(answer.html.contains("This did not work"));
    }
    let s256 = format!("code_challenge={}&code_challenge_method=S256", challenge());
    for (query, error) in [
        ("client_id=web&response_type=token", "unsupported_response_type"),
        ("client_id=web&response_type=code+id_token", "unsupported_response_type"),
        ("client_id=web", "invalid_request"),
        ("client_id=web&response_type=code&scope=uaa.admin", "invalid_scope"),
        ("client_id=web&response_type=code&code_challenge=x&code_challenge_method=plain", "invalid_request"),
        ("client_id=spa&response_type=code", "invalid_request"),
    ] {
        let location = browser.get(&format!("/oauth/authorize?{query}")).await.location.unwrap();
        assert!(location.starts_with(&format!("https://a.example/?error={error}")), "{query}: {location}");
    }
    let location = browser.get(&format!("/oauth/authorize?client_id=spa&response_type=code&{s256}")).await.location.unwrap();
    let code = url::Url::parse(&location).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let fields = [("grant_type", "authorization_code"), ("client_id", "spa"), ("code", &code), ("code_verifier", VERIFIER)];
    let tokens = uaa.form("/oauth/token", None, &fields).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let refresh = [("grant_type", "refresh_token"), ("client_id", "spa"), ("refresh_token", &tokens.text("refresh_token"))];
    assert_ne!(uaa.form("/oauth/token", None, &refresh).await.text("refresh_token"), tokens.text("refresh_token"), "rotated");
}

#[tokio::test]
async fn passwords_are_changed_on_a_page() {
    let uaa = Harness::start().await;
    uaa.create_user("ann", "old").await;
    let tokens = uaa.log_in("ann", "old").await;
    let (mut browser, mut elsewhere) = (Browser::new(&uaa), Browser::new(&uaa));
    browser.log_in("/login", "ann", "old").await;
    elsewhere.log_in("/login", "ann", "old").await;
    let form = Form::of(&browser.visit("/change_password").await.html, "/change_password");
    let fill = |old: &str, new: &str, again: &str| {
        form.clone().with("current_password", old).with("new_password", new).with("confirm_password", again)
    };
    assert!(browser.submit(&fill("wrong", "new", "new")).await.html.contains("The current password is wrong."));
    assert!(browser.submit(&fill("old", "new", "other")).await.html.contains("not the same"));
    assert_eq!(browser.submit(&fill("old", "new", "new")).await.location.as_deref(), Some("/profile"));
    assert!(browser.visit("/profile").await.html.contains("logged in as <strong>ann</strong>"));
    assert!(elsewhere.get("/profile").await.location.unwrap().starts_with("/login"));
    uaa.refresh(&tokens.text("refresh_token")).await.is(401, "invalid_token");
    assert_eq!(uaa.log_in("ann", "new").await.status, 200);
}

#[tokio::test]
async fn an_operator_makes_a_code_to_reset_a_password() {
    let uaa = Harness::start().await;
    uaa.create_user("ann", "old").await;
    let admin = uaa.admin().await;
    let made = uaa.call(Method::POST, "/password_resets", Some(&admin), Some(json!("Ann"))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    uaa.call(Method::POST, "/password_resets", Some(&admin), Some(json!("nobody"))).await.is(404, "scim_resource_not_found");
    let (code, mut browser) = (made.text("code"), Browser::new(&uaa));
    assert!(browser.get("/forgot_password").await.html.contains("sends no mail"));
    let page = browser.get(&format!("/reset_password?code={code}")).await;
    let form = Form::of(&page.html, "/reset_password").with("new_password", "new").with("confirm_password", "new");
    assert_eq!(form.fields.iter().find(|(name, _)| name == "code").unwrap().1, code);
    assert_eq!(browser.submit(&form.clone().with("confirm_password", "x")).await.status, 422, "the code is not used up");
    assert!(browser.submit(&form.clone().with("code", "made up")).await.html.contains("The code is wrong"));
    assert_eq!(browser.submit(&form).await.location.as_deref(), Some("/login"));
    assert_eq!(browser.submit(&form).await.status, 422, "once");
    assert_eq!(uaa.log_in("ann", "new").await.status, 200);
}

#[tokio::test]
async fn a_password_that_is_too_old_or_must_change_is_changed_first() {
    let password = PasswordPolicy { max_age_days: 30, ..PasswordPolicy::default() };
    let uaa = Harness::with(UaaSettings { password, ..UaaSettings::default() }).await;
    let ann = uaa.create_user("ann", "old").await;
    let root = uaa.client_token("root", &["uaa.admin"]).await;
    let refresh = uaa.log_in("ann", "old").await.text("refresh_token");
    let required = json!({"passwordChangeRequired": true});
    let status = uaa.call(Method::PATCH, &format!("/Users/{ann}/status"), Some(&root), Some(required)).await;
    assert_eq!(status.body, json!({"passwordChangeRequired": true}));
    let refused = uaa.log_in("ann", "old").await;
    refused.is(401, "unauthorized");
    assert!(refused.text("error_description").contains("must be changed"));
    uaa.refresh(&refresh).await.is(401, "unauthorized");
    let mut browser = Browser::new(&uaa);
    let page = browser.log_in("/passcode", "ann", "old").await;
    assert!(page.html.contains("You must set a new password"), "{}", page.html);
    let form = Form::of(&page.html, "/change_password");
    let form = form.with("current_password", "old").with("new_password", "new").with("confirm_password", "new");
    assert_eq!(browser.submit(&form).await.location.as_deref(), Some("/passcode"));
    assert_eq!(uaa.log_in("ann", "new").await.status, 200);
    uaa.wait(30 * 86_400);
    uaa.log_in("ann", "new").await.is(401, "unauthorized");
}

#[tokio::test]
async fn one_address_may_not_try_for_ever() {
    let uaa = Harness::with(UaaSettings { logins_per_minute: 8, ..UaaSettings::default() }).await;
    let log_in = async |address: &str| {
        let request = Request::post("/oauth/token").header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("authorization", "Basic Y2Y6").header("x-forwarded-for", format!("10.9.9.9, {address}"));
        uaa.send(request.body(Body::from("grant_type=password&passcode=x")).unwrap()).await.status
    };
    assert_eq!([log_in("10.0.0.1").await, log_in("10.0.0.1").await, log_in("10.0.0.1").await], [401, 401, 429]);
    assert_eq!(log_in("10.0.0.2").await, 401);
    uaa.wait(60);
    assert_eq!(log_in("10.0.0.1").await, 401);
}
