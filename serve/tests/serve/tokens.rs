//! Which access tokens are good.

use crate::support::{ISSUER, app, now, verifier};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http_body_util::BodyExt as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::LazyLock;
use tower::ServiceExt as _;
use virga_serve::{
    Caller, Failure, Tasks,
    auth::{Claims, SigningKey, TokenError},
    axum::{Router, body::Body, http::Request, routing},
};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate("key-1").unwrap());
static OTHER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate("key-1").unwrap());

fn claims() -> Claims {
    let claims = json!({
        "jti": "j", "sub": "s", "scope": ["cloud_controller.read"], "client_id": "cf", "cid": "cf", "azp": "cf",
        "grant_type": "password", "user_id": "5bb7a4d5-2b7c-4d6f-9df5-2e1f0f1ab6d5", "user_name": "ann", "origin": "uaa",
        "rev_sig": "r", "iat": now().as_second(), "exp": now().as_second() + 60, "iss": ISSUER, "zid": "uaa", "aud": ["cf"],
    });
    serde_json::from_value(claims).unwrap()
}

async fn ask(authorization: Option<&str>) -> (u16, u64) {
    let handler = |caller: Caller| async move {
        caller.require_read()?;
        Ok::<_, Failure>(caller.user_name.clone().unwrap_or_default())
    };
    let mut request = Request::get("/");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    let routes = Router::new().route("/", routing::get(handler));
    let response = app(&Tasks::new(), routes, &[&KEY]).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, body["errors"][0]["code"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn a_missing_token_and_a_bad_one_are_told_apart() {
    let good = KEY.sign(&claims()).unwrap();
    assert_eq!(ask(Some(&format!("bearer {good}"))).await, (200, 0));
    assert_eq!(ask(Some(&format!("Bearer {good}"))).await, (200, 0));
    assert_eq!(ask(None).await, (401, 10002));
    assert_eq!(ask(Some("bearer nonsense")).await, (401, 1000));
    assert_eq!(ask(Some("Basic Y2Y6")).await, (401, 1000));
    let expired = KEY.sign(&Claims { exp: now().as_second(), ..claims() }).unwrap();
    assert_eq!(ask(Some(&format!("bearer {expired}"))).await, (401, 1000));
    let scopeless = KEY.sign(&Claims { scope: vec!["openid".into()], ..claims() }).unwrap();
    assert_eq!(ask(Some(&format!("bearer {scopeless}"))).await, (403, 10007));
}

#[test]
fn forged_tokens_are_refused() {
    let verifier = verifier(&[&KEY]);
    let good = KEY.sign(&claims()).unwrap();
    assert_eq!(verifier.claims(&good).unwrap(), claims());

    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let admin = part(serde_json::to_value(Claims { scope: vec!["cloud_controller.admin".into()], ..claims() }).unwrap());
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let none = part(json!({"alg": "none", "typ": "JWT", "kid": "key-1"}));
    // The classic confusion: the public key, which everybody has, as the secret of an HMAC.
    let hmac = Header { kid: Some("key-1".into()), ..Header::new(Algorithm::HS256) };
    let hmac = jsonwebtoken::encode(&hmac, &claims(), &EncodingKey::from_secret(KEY.public().value.as_bytes())).unwrap();
    let stranger = SigningKey::generate("key-2").unwrap().sign(&claims()).unwrap();
    let forged = [
        ("changed claims", format!("{header}.{admin}.{signature}")),
        ("no algorithm", format!("{none}.{admin}.")),
        ("no algorithm, with a signature", format!("{none}.{payload}.{signature}")),
        ("HMAC with the public key", hmac),
        ("another key of the same name", OTHER.sign(&claims()).unwrap()),
        ("an unknown key", stranger),
        ("another issuer", KEY.sign(&Claims { iss: "http://evil".into(), ..claims() }).unwrap()),
        ("no signature", format!("{header}.{payload}.")),
        ("no token", String::new()),
        ("a huge one", "a".repeat(1 << 20)),
    ];
    for (what, token) in forged {
        let refused = verifier.claims(&token);
        assert!(matches!(refused, Err(TokenError::Invalid(_))), "{what}: {refused:?}");
    }
}

#[test]
fn keys_come_back_from_their_pem_and_do_not_show_it() {
    let again = SigningKey::from_pem("key-1", KEY.pem().expose()).unwrap();
    assert_eq!(again.public(), KEY.public());
    assert!(!format!("{:?}", *KEY).contains("PRIVATE"));
    assert!(KEY.public().value.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert!(SigningKey::from_pem("x", "nonsense").is_err());
}
