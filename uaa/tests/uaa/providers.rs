//! Logins at another provider: a real one on a socket, made of the types of the `openidconnect` crate.

use crate::{
    browser::Browser,
    support::{Answer, Harness},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use openidconnect::{
    AccessToken, AdditionalClaims, Audience, AuthUrl, EmptyAdditionalProviderMetadata, EndUserEmail, EndUserUsername, IdToken,
    IdTokenClaims, IssuerUrl, JsonWebKeyId, JsonWebKeySetUrl, Nonce, PrivateSigningKey as _, ResponseTypes, StandardClaims,
    SubjectIdentifier, TokenUrl,
    core::{
        CoreGenderClaim, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
        CoreResponseType, CoreRsaPrivateSigningKey, CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex},
};
use virga_model::Sha256Digest;
use virga_serve::{
    ServerLimits, Tasks,
    auth::SigningKey,
    axum::{
        Form, Json, Router,
        extract::{Query, State},
        http::{HeaderMap, StatusCode},
        response::{IntoResponse as _, Redirect, Response},
        routing::{get, post},
    },
    listener::Listener,
    server::serve,
};
use virga_uaa::{ProviderSettings, UaaSettings};

/// The provider's key, as its library reads it: RFC 8017's `RSAPrivateKey` alone.
static KEY: LazyLock<String> = LazyLock::new(|| {
    let pem = SigningKey::generate("provider").unwrap().pem().expose().clone();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = BASE64_STANDARD.decode(body).unwrap();
    // RFC 5958 wraps it: a sequence's head, the version, the algorithm, the head of an octet string.
    let (wrapping, key) = der.split_at(26);
    assert!(wrapping.ends_with(&(key.len() as u16).to_be_bytes()), "not the wrapping of a key of 2048 bits");
    let lines: Vec<_> = BASE64_STANDARD.encode(key).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n", lines.join("\n"))
});

/// Where the clock of the tests stands.
const NOW: i64 = 1_800_000_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Groups {
    groups: Vec<String>,
}

impl AdditionalClaims for Groups {}

type ProviderIdToken = IdToken<Groups, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// Whoever logs in at the provider.
#[derive(Debug, Clone)]
struct Person {
    sub: &'static str,
    name: &'static str,
    groups: Vec<&'static str>,
}

struct Provider {
    issuer: String,
    kid: Mutex<String>,
    person: Mutex<Person>,
    /// What is said in place of the nonce or the audience of the request.
    lie: Mutex<Option<(&'static str, &'static str)>>,
    codes: Mutex<HashMap<String, HashMap<String, String>>>,
    tasks: Tasks,
}

impl Provider {
    async fn start() -> Arc<Self> {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address().unwrap();
        let provider = Arc::new(Self {
            issuer: format!("http://{address}"),
            kid: Mutex::new("one".to_owned()),
            person: Mutex::new(Person { sub: "s-1", name: "ann@corp", groups: vec!["admins", "unknown"] }),
            lie: Mutex::new(None),
            codes: Mutex::default(),
            tasks: Tasks::new(),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(Arc::clone(&provider));
        serve(&provider.tasks, "provider", listener, routes, ServerLimits::default());
        provider
    }

    fn key(&self) -> CoreRsaPrivateSigningKey {
        let kid = JsonWebKeyId::new(self.kid.lock().unwrap().clone());
        CoreRsaPrivateSigningKey::from_pem(&KEY, Some(kid)).unwrap()
    }

    fn id_token(&self, audience: &str, nonce: Option<&str>) -> String {
        let (mut audience, mut nonce) = (audience.to_owned(), nonce.map(str::to_owned));
        match *self.lie.lock().unwrap() {
            Some(("aud", lie)) => lie.clone_into(&mut audience),
            Some(("nonce", lie)) => nonce = Some(lie.to_owned()),
            _ => {}
        }
        let person = self.person.lock().unwrap().clone();
        let time = |second| chrono::DateTime::from_timestamp(second, 0).unwrap();
        let claims = StandardClaims::new(SubjectIdentifier::new(person.sub.to_owned()))
            .set_email(Some(EndUserEmail::new(format!("{}.example", person.name))))
            .set_email_verified(Some(true))
            .set_preferred_username(Some(EndUserUsername::new(person.name.to_owned())));
        let groups = Groups { groups: person.groups.iter().map(|group| (*group).to_owned()).collect() };
        let issuer = IssuerUrl::new(self.issuer.clone()).unwrap();
        let claims = IdTokenClaims::new(issuer, vec![Audience::new(audience)], time(NOW + 300), time(NOW), claims, groups)
            .set_nonce(nonce.map(Nonce::new));
        let token = ProviderIdToken::new(claims, &self.key(), CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, None::<&AccessToken>, None);
        token.unwrap().to_string()
    }

    fn settings(&self) -> UaaSettings {
        let corp = ProviderSettings {
            issuer: self.issuer.clone(),
            client_id: "virga".to_owned(),
            client_secret: Some("hush".to_owned().into()),
            text: "Corp <login>".to_owned(),
            groups_claim: "groups".to_owned(),
            group_mapping: BTreeMap::from([("admins".to_owned(), vec!["cloud_controller.admin".to_owned()])]),
            ..ProviderSettings::default()
        };
        UaaSettings { providers: BTreeMap::from([("corp".to_owned(), corp)]), ..UaaSettings::default() }
    }
}

async fn configuration(State(provider): State<Arc<Provider>>) -> Json<CoreProviderMetadata> {
    let url = |path: &str| format!("{}{path}", provider.issuer);
    let metadata = CoreProviderMetadata::new(
        IssuerUrl::new(provider.issuer.clone()).unwrap(),
        AuthUrl::new(url("/authorize")).unwrap(),
        JsonWebKeySetUrl::new(url("/keys")).unwrap(),
        vec![ResponseTypes::new(vec![CoreResponseType::Code])],
        vec![CoreSubjectIdentifierType::Public],
        vec![CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256],
        EmptyAdditionalProviderMetadata {},
    );
    Json(metadata.set_token_endpoint(Some(TokenUrl::new(url("/token")).unwrap())))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<CoreJsonWebKeySet> {
    Json(CoreJsonWebKeySet::new(vec![provider.key().as_verification_key()]))
}

/// Everybody who comes is logged in already.
async fn authorize(State(provider): State<Arc<Provider>>, Query(query): Query<HashMap<String, String>>) -> Response {
    if query["client_id"] != "virga" || query["response_type"] != "code" || query["code_challenge_method"] != "S256" {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let code = format!("code-{}", query["state"]);
    let location = url::Url::parse_with_params(&query["redirect_uri"], [("code", code.as_str()), ("state", &query["state"])]).unwrap();
    provider.codes.lock().unwrap().insert(code, query);
    Redirect::to(location.as_str()).into_response()
}

async fn token(State(provider): State<Arc<Provider>>, headers: HeaderMap, Form(form): Form<HashMap<String, String>>) -> Response {
    let Some(asked) = provider.codes.lock().unwrap().remove(&form["code"]) else { return StatusCode::BAD_REQUEST.into_response() };
    let verifier = BASE64_URL_SAFE_NO_PAD.encode(Sha256Digest::of(form["code_verifier"].as_bytes()).as_bytes());
    let is_client = headers["authorization"] == format!("Basic {}", base64::prelude::BASE64_STANDARD.encode("virga:hush"));
    if !is_client || verifier != asked["code_challenge"] || form["redirect_uri"] != asked["redirect_uri"] {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let id_token = provider.id_token("virga", Some(&asked["nonce"]));
    Json(json!({"access_token": "x", "token_type": "bearer", "id_token": id_token})).into_response()
}

/// Goes to the provider and comes back with where it sends the browser.
async fn at_provider(browser: &mut Browser<'_>) -> String {
    let away = browser.get("/login/start/corp?next=%2Fpasscode").await;
    let location = away.location.clone().unwrap_or_else(|| panic!("{}", away.html));
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let back = http.get(location).send().await.unwrap();
    let back = back.headers()["location"].to_str().unwrap().to_owned();
    back.strip_prefix("http://login.virga.localhost:8080").unwrap().to_owned()
}

async fn log_in(uaa: &Harness) -> Answer {
    let mut browser = Browser::new(uaa);
    let back = at_provider(&mut browser).await;
    browser.visit(&back).await
}

async fn users(uaa: &Harness) -> Vec<Value> {
    let admin = uaa.admin().await;
    let list = uaa.get("/Users?filter=origin%20eq%20%22corp%22", &admin).await;
    list.body["resources"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_user_of_a_provider_gets_a_shadow_user_a_passcode_and_mapped_groups() {
    let provider = Provider::start().await;
    let uaa = Harness::with(provider.settings()).await;
    let prompts = uaa.get("/login", "").await;
    assert!(prompts.body["idpDefinitions"]["corp"].as_str().unwrap().ends_with("/login/start/corp"));
    let page = Browser::new(&uaa).get("/login?next=%2Fpasscode").await;
    assert!(
        page.html.contains("href=\"/login/start/corp?next=%2Fpasscode\"") && page.html.contains("Corp &#60;login&#62;"),
        "{}",
        page.html
    );

    let page = log_in(&uaa).await;
    let passcode = page.html.split("<code id=\"passcode\">").nth(1).unwrap_or_else(|| panic!("{}", page.html)).split('<').next().unwrap();
    let token = uaa.form("/oauth/token", Some("cf:"), &[("grant_type", "password"), ("passcode", passcode)]).await;
    let claims = uaa.uaa.verifier().verify(&token.text("access_token")).await.unwrap();
    assert_eq!((claims.origin.as_deref(), claims.user_name.as_deref()), (Some("corp"), Some("ann@corp")));
    assert!(claims.identity().is_admin(), "by the mapping");
    let shadow = users(&uaa).await;
    assert_eq!((shadow.len(), shadow[0]["externalId"].as_str(), shadow[0]["verified"].as_bool()), (1, Some("s-1"), Some(true)));

    *provider.person.lock().unwrap() = Person { sub: "s-1", name: "ann.new@corp", groups: vec![] };
    log_in(&uaa).await;
    let shadow = users(&uaa).await;
    assert_eq!((shadow.len(), shadow[0]["userName"].as_str()), (1, Some("ann.new@corp")), "known by the provider's id");
    uaa.refresh(&token.text("refresh_token")).await.text("scope").split(' ').for_each(|scope| assert_ne!(scope, "cloud_controller.admin"));
    *provider.person.lock().unwrap() = Person { sub: "s-2", name: "ann.new@corp", groups: vec!["admins"] };
    let refused = log_in(&uaa).await;
    assert_eq!(refused.status, 403, "a name that came to another person is not the account");
    let hint = uaa.form(
        "/oauth/token?login_hint=%7B%22origin%22%3A%22corp%22%7D",
        Some("cf:"),
        &[("grant_type", "password"), ("username", "a"), ("password", "b")],
    );
    assert!(hint.await.text("error_description").contains("--sso"));
}

#[tokio::test]
async fn a_login_is_finished_by_the_browser_that_began_it_once_and_with_a_token_for_it() {
    let provider = Provider::start().await;
    let uaa = Harness::with(provider.settings()).await;
    let (mut ann, mut eve) = (Browser::new(&uaa), Browser::new(&uaa));
    let back = at_provider(&mut ann).await;
    assert_eq!(eve.get(&back).await.status, 403, "another browser");
    assert_eq!(ann.get(&back).await.status, 403, "once, whoever came first");
    for lie in [("nonce", "of another login"), ("aud", "another client")] {
        *provider.lie.lock().unwrap() = Some(lie);
        assert_eq!(log_in(&uaa).await.status, 401, "{lie:?}");
    }
    *provider.lie.lock().unwrap() = None;
    assert_eq!(ann.get("/login/callback/corp?state=x&code=y").await.status, 403);
    assert_eq!(ann.get("/login/start/nobody").await.status, 404);
    assert!(users(&uaa).await.is_empty());
    *provider.kid.lock().unwrap() = "two".to_owned();
    uaa.wait(31);
    assert_eq!(log_in(&uaa).await.status, 200, "a key that is new is read");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_named() {
    let provider = Provider::start().await;
    let mut settings = provider.settings();
    // Nobody listens where this was bound.
    let address = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap().address().unwrap();
    settings.providers.get_mut("corp").unwrap().issuer = format!("http://{address}");
    let uaa = Harness::with(settings).await;
    let page = Browser::new(&uaa).get("/login/start/corp").await;
    assert!(page.status == 502 && page.html.contains("The identity provider corp is not available"), "{}", page.html);
}

#[tokio::test]
async fn cf_auth_with_an_assertion_of_a_provider() {
    let provider = Provider::start().await;
    let mut settings = provider.settings();
    settings.providers.get_mut("corp").unwrap().add_shadow_users = false;
    let uaa = Harness::with(settings).await;
    let fields = |assertion: String| [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()), ("assertion", assertion)];
    let grant = async |assertion: String| {
        let fields = fields(assertion);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        uaa.form("/oauth/token", Some("cf:"), &fields).await
    };
    grant(provider.id_token("virga", None)).await.is(403, "access_denied");
    let body = json!({"userName": "ann@corp", "origin": "corp"});
    let made = uaa.call(virga_serve::axum::http::Method::POST, "/Users", Some(&uaa.admin().await), Some(body)).await;
    let token = grant(provider.id_token("virga", None)).await;
    assert_eq!(token.status, 200, "{}", token.body);
    let claims = uaa.uaa.verifier().verify(&token.text("access_token")).await.unwrap();
    assert_eq!(claims.user_id, Some(made.text("id")), "the one an administrator made");
    grant(provider.id_token("another", None)).await.is(401, "unauthorized");
    let good = provider.id_token("virga", None);
    let parts: Vec<&str> = good.split('.').collect();
    grant(format!("{}.{}.{}", parts[0], parts[1], parts[1])).await.is(401, "unauthorized");
    grant("x".to_owned()).await.is(401, "invalid_token");
    uaa.wait(301);
    grant(good).await.is(401, "unauthorized");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let good = ProviderSettings { issuer: "https://idp.example".to_owned(), client_id: "x".to_owned(), ..ProviderSettings::default() };
    let check = |origin: &str, provider: ProviderSettings| {
        UaaSettings { providers: BTreeMap::from([(origin.to_owned(), provider)]), ..UaaSettings::default() }.check()
    };
    check("corp", good.clone()).unwrap();
    check("corp", ProviderSettings { issuer: "http://localhost:1".to_owned(), ..good.clone() }).unwrap();
    for origin in ["uaa", "", "a b", "ldap"] {
        assert!(check(origin, good.clone()).is_err(), "{origin}");
    }
    for issuer in ["http://idp.example", "idp.example", ""] {
        assert!(check("corp", ProviderSettings { issuer: issuer.to_owned(), ..good.clone() }).is_err(), "{issuer}");
    }
    assert!(check("corp", ProviderSettings { client_id: String::new(), ..good }).is_err());
    assert!(UaaSettings { key_overlap_seconds: 10, ..UaaSettings::default() }.check().is_err());
    assert!(UaaSettings { session_seconds: 0, ..UaaSettings::default() }.check().is_err());
    assert!(UaaSettings { max_access_token_seconds: 10, ..UaaSettings::default() }.check().is_err());
}
