//! What is said to a provider, and what is believed of what it says.

use super::ProviderSettings;
use openidconnect::{
    AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdToken, IdTokenClaims, IdTokenFields, IdTokenVerifier, IssuerUrl, Nonce,
    NonceVerifier, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey, CoreJsonWebKeySet,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
        CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{str::FromStr as _, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use virga_model::Timestamp;
use virga_serve::{Clock, auth::PublicKey};

/// A provider's description and keys are read anew after this.
const KEPT: Duration = Duration::from_secs(600);
/// And at most so often for a key that is not among them.
const RETRY: Duration = Duration::from_secs(30);
/// Longest answer of a provider, bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Longest token of a provider, bytes.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// Claims that are no standard ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OtherClaims {
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl AdditionalClaims for OtherClaims {}

type ProviderIdToken = IdToken<OtherClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type ProviderClaims = IdTokenClaims<OtherClaims, CoreGenderClaim>;
type ProviderTokens = StandardTokenResponse<
    IdTokenFields<OtherClaims, EmptyExtraTokenFields, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>,
    CoreTokenType,
>;
type ProviderClient = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    ProviderTokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// A login at a provider, or a token of one, came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// The provider does not answer, or not sensibly.
    #[error("the identity provider {origin} cannot be used: {reason}")]
    Unavailable { origin: String, reason: String },
    /// The token is not good.
    #[error("the token is not accepted: {0}")]
    Token(String),
}

/// A request to a provider failed.
#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error(transparent)]
    Request(#[from] reqwest::Error),
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
    #[error(transparent)]
    Malformed(#[from] openidconnect::http::Error),
}

/// A login that was begun at a provider.
pub(crate) struct Begun {
    /// Where the browser goes.
    pub(crate) url: String,
    /// What the provider's token must say.
    pub(crate) nonce: String,
    /// What the exchange of the code must show.
    pub(crate) verifier: String,
}

/// One provider.
pub(crate) struct Provider {
    pub(crate) origin: String,
    pub(crate) settings: ProviderSettings,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<(Timestamp, Arc<CoreProviderMetadata>)>>,
}

impl Provider {
    pub(super) fn new(origin: String, settings: ProviderSettings, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        Self { origin, settings, http, clock, known: Mutex::new(None) }
    }

    fn unavailable(&self, error: &dyn std::error::Error) -> ProviderError {
        let chain = std::iter::successors(Some(error), |error| error.source());
        let reason = chain.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        ProviderError::Unavailable { origin: self.origin.clone(), reason }
    }

    fn issuer(&self) -> Result<IssuerUrl, ProviderError> {
        IssuerUrl::new(self.settings.issuer.clone()).map_err(|error| self.unavailable(&error))
    }

    /// What the provider says of itself, no older than `age`.
    async fn metadata(&self, age: Duration) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        let now = self.clock.now();
        let mut known = self.known.lock().await;
        if let Some((read_at, metadata)) = known.as_ref()
            && read_at.checked_add(age).is_ok_and(|end| now < end)
        {
            return Ok(Arc::clone(metadata));
        }
        let http = |request| send(self.http.clone(), request);
        let metadata = CoreProviderMetadata::discover_async(self.issuer()?, &http).await;
        let metadata = Arc::new(metadata.map_err(|error| self.unavailable(&error))?);
        *known = Some((now, Arc::clone(&metadata)));
        Ok(metadata)
    }

    async fn client(&self, redirect: &str) -> Result<ProviderClient, ProviderError> {
        let metadata = self.metadata(KEPT).await?;
        let secret = self.settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().clone()));
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|error| self.unavailable(&error))?;
        let id = ClientId::new(self.settings.client_id.clone());
        Ok(Client::from_provider_metadata((*metadata).clone(), id, secret).set_redirect_uri(redirect))
    }

    /// Begins a login that comes back to `redirect` with `state`.
    pub(crate) async fn begin(&self, redirect: &str, state: &str) -> Result<Begun, ProviderError> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = crate::tokens::issue::secret();
        let (said_state, said_nonce) = (state.to_owned(), nonce.clone());
        let client = self.client(redirect).await?;
        let request = client.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            move || CsrfToken::new(said_state),
            move || Nonce::new(said_nonce),
        );
        let scopes = self.settings.scopes.iter().filter(|scope| *scope != "openid").map(|scope| Scope::new(scope.clone()));
        let (url, _, _) = request.add_scopes(scopes).set_pkce_challenge(challenge).url();
        Ok(Begun { url: url.to_string(), nonce, verifier: verifier.secret().clone() })
    }

    /// The claims about the user who came back with a code.
    pub(crate) async fn finish(&self, redirect: &str, code: String, nonce: String, verifier: String) -> Result<Value, ProviderError> {
        let client = self.client(redirect).await?;
        let request = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| self.unavailable(&error))?;
        let http = |request| send(self.http.clone(), request);
        let tokens = request.set_pkce_verifier(PkceCodeVerifier::new(verifier)).request_async(&http).await;
        let tokens: ProviderTokens = tokens.map_err(|error| self.unavailable(&error))?;
        let token = tokens.id_token().ok_or_else(|| ProviderError::Token("the provider sent no id token".to_owned()))?;
        let nonce = Nonce::new(nonce);
        self.claims(token, |said: Option<&Nonce>| (&nonce).verify(said)).await
    }

    /// The claims of a token that a user got from this provider for this platform.
    pub(crate) async fn verify(&self, token: &str) -> Result<Value, ProviderError> {
        self.claims(&read(token)?, |_: Option<&Nonce>| Ok(())).await
    }

    async fn claims(&self, token: &ProviderIdToken, nonce: impl Fn(Option<&Nonce>) -> Result<(), String>) -> Result<Value, ProviderError> {
        let id = ClientId::new(self.settings.client_id.clone());
        let mut last = None;
        // The second time with keys that were just read, should the provider have a new one.
        for age in [KEPT, RETRY] {
            let keys = self.metadata(age).await?.jwks().clone();
            let verifier = verifier(id.clone(), self.issuer()?, keys, &self.clock);
            match token.claims(&verifier, &nonce) {
                Ok(claims) => return as_json(claims),
                Err(error) => last = Some(error.to_string()),
            }
        }
        Err(ProviderError::Token(last.unwrap_or_default()))
    }
}

/// The claims of a token that this UAA itself gave to the client `client_id`.
pub(crate) fn verify_own(
    token: &str,
    client_id: &str,
    issuer: &str,
    keys: &[PublicKey],
    clock: &Arc<dyn Clock>,
) -> Result<Value, ProviderError> {
    let refused = |reason: String| ProviderError::Token(reason);
    let keys: CoreJsonWebKeySet = serde_json::from_value(json!({"keys": keys})).map_err(|error| refused(error.to_string()))?;
    let issuer = IssuerUrl::new(issuer.to_owned()).map_err(|error| refused(error.to_string()))?;
    // Our tokens name every resource they are for.
    let verifier = verifier(ClientId::new(client_id.to_owned()), issuer, keys, clock).set_other_audience_verifier_fn(|_| true);
    let token = read(token)?;
    let claims = token.claims(&verifier, |_: Option<&Nonce>| Ok(())).map_err(|error| refused(error.to_string()))?;
    as_json(claims)
}

/// Signatures by a public key only: a client's secret or no signature at all prove nothing here.
fn verifier<'a>(id: ClientId, issuer: IssuerUrl, keys: CoreJsonWebKeySet, clock: &Arc<dyn Clock>) -> IdTokenVerifier<'a, CoreJsonWebKey> {
    let now = clock.now().as_second();
    let now = chrono::DateTime::from_timestamp(now, 0).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC);
    IdTokenVerifier::new_public_client(id, issuer, keys)
        .set_allowed_algs([
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
            CoreJwsSigningAlgorithm::RsaSsaPssSha256,
            CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            CoreJwsSigningAlgorithm::EcdsaP384Sha384,
            CoreJwsSigningAlgorithm::EdDsa,
        ])
        .set_time_fn(move || now)
}

fn read(token: &str) -> Result<ProviderIdToken, ProviderError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(ProviderError::Token("it is too long".to_owned()));
    }
    ProviderIdToken::from_str(token).map_err(|error| ProviderError::Token(error.to_string()))
}

fn as_json(claims: &ProviderClaims) -> Result<Value, ProviderError> {
    serde_json::to_value(claims).map_err(|error| ProviderError::Token(error.to_string()))
}

async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let mut answer = http.execute(request.try_into()?).await?;
    let mut response = openidconnect::http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.clone_from(answer.headers());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(HttpError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(response.body(body)?)
}
