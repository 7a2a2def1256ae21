//! Fetches a buildpack from an address that a developer gave. The platform asks, so it asks no address inside: of this machine,
//! of a private network, of a provider's metadata; at every redirection anew.

use crate::{
    failure,
    sandbox::network::allowed::{Allowed, Trust},
};
use std::{net::IpAddr, path::Path, time::Duration};
use tokio::io::AsyncWriteExt as _;
use url::{Host, Url};
use virga_contract::staging::{StagingError, StagingErrorKind};

/// Redirections that are followed.
const REDIRECTIONS: usize = 5;
const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// Between two pieces of it.
const PIECE_WITHIN: Duration = Duration::from_secs(60);

/// Writes what is at `url` to a file of at most `limit` bytes.
///
/// # Errors
/// With the rule that the address breaks, or what went wrong on the way.
pub(super) async fn fetch(url: &Url, allowed: &Allowed, limit: u64, into: &Path) -> Result<(), StagingError> {
    let mut url = url.clone();
    for _ in 0..=REDIRECTIONS {
        let mut answer = ask(&url, allowed).await?;
        if answer.status().is_redirection() {
            let to = answer.headers().get(http::header::LOCATION).and_then(|to| url.join(to.to_str().ok()?).ok());
            url = to.ok_or_else(|| refused(&url, "it leads on without saying where to"))?;
            continue;
        }
        if !answer.status().is_success() {
            return Err(refused(&url, &format!("it answers {}", answer.status())));
        }
        let failed = |error: std::io::Error| failure::internal("keep a buildpack", &error);
        let mut file = tokio::fs::File::create(into).await.map_err(failed)?;
        let mut left = limit;
        while let Some(piece) = answer.chunk().await.map_err(|error| refused(&url, &cause(&error)))? {
            left = left
                .checked_sub(piece.len() as u64)
                .ok_or_else(|| refused(&url, &format!("it is larger than the limit of {} MB", limit >> 20)))?;
            file.write_all(&piece).await.map_err(failed)?;
        }
        return file.flush().await.map_err(failed);
    }
    Err(refused(&url, &format!("it leads on more than {REDIRECTIONS} times")))
}

async fn ask(url: &Url, allowed: &Allowed) -> Result<reqwest::Response, StagingError> {
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return Err(refused(url, "it names no host")) };
    let trust = allowed.host(&host.to_string(), port).unwrap_or(Trust::Public);
    if url.scheme() != "https" && trust != Trust::AnyAddress {
        return Err(refused(url, "only https is fetched"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(url, "names and passwords in an address would be seen by all who see the app"));
    }
    let name = host.to_string();
    let literal = match host {
        Host::Ipv4(address) => Some(IpAddr::from(address)),
        Host::Ipv6(address) => Some(IpAddr::from(address)),
        Host::Domain(_) => None,
    };
    let addresses = match literal {
        Some(address) if allowed.address(trust, address) => Vec::new(),
        Some(_) => return Err(refused(url, "it is at an address that builds may not reach")),
        None => {
            let resolved = tokio::time::timeout(CONNECT_WITHIN, allowed.resolve(trust, &name, port)).await;
            resolved.map_err(|_| refused(url, "its host is not found in time"))?.map_err(|error| refused(url, &error.to_string()))?
        }
    };
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(PIECE_WITHIN)
        // What was looked up is what is connected to.
        .resolve_to_addrs(&name, &addresses)
        .no_proxy()
        .build()
        .map_err(|error| failure::internal("fetch a buildpack", &error))?;
    client.get(url.clone()).send().await.map_err(|error| refused(url, &cause(&error)))
}

/// The innermost reason, which alone says something.
fn cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map_or_else(String::new, ToString::to_string)
}

fn refused(url: &Url, reason: &str) -> StagingError {
    let mut shown = url.clone();
    shown.set_query(None);
    let _no_secrets = (shown.set_username(""), shown.set_password(None));
    failure::of(StagingErrorKind::CompileFailed, format!("the buildpack at {shown} cannot be fetched: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    /// Answers each connection with the next of these texts.
    fn server(answers: Vec<String>) -> u16 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for (answer, client) in answers.into_iter().zip(listener.incoming()) {
                let mut client = client.unwrap();
                let mut request = [0; 4096];
                let _read = client.read(&mut request);
                let _written = client.write_all(answer.as_bytes());
            }
        });
        port
    }

    async fn fetched(answers: Vec<String>, limit: u64) -> Result<Vec<u8>, String> {
        let port = server(answers);
        let allowed = Allowed { registries: [("127.0.0.1".to_owned(), port)].into(), ..Allowed::default() };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("zip");
        let url = format!("http://127.0.0.1:{port}/a.zip").parse().unwrap();
        fetch(&url, &allowed, limit, &file).await.map_err(|error| error.message)?;
        Ok(std::fs::read(file).unwrap())
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn moved(to: &str) -> String {
        format!("HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: {to}\r\n\r\n")
    }

    #[tokio::test]
    async fn redirections_are_followed_and_looked_at() {
        assert_eq!(fetched(vec![moved("/b.zip"), ok("bits")], 100).await.unwrap(), b"bits");
        let inside = fetched(vec![moved("https://169.254.169.254/latest/meta-data")], 100).await.unwrap_err();
        assert!(inside.contains("an address that builds may not reach"), "{inside}");
        let plain = fetched(vec![moved("http://example.com/x.zip")], 100).await.unwrap_err();
        assert!(plain.contains("only https"), "{plain}");
        let endless = fetched((0..9).map(|_| moved("/again")).collect(), 100).await.unwrap_err();
        assert!(endless.contains("more than 5 times"), "{endless}");
        assert!(fetched(vec![ok(&"x".repeat(200))], 100).await.unwrap_err().contains("larger than the limit"));
    }

    #[tokio::test]
    async fn the_inside_is_not_asked() {
        let folder = tempfile::tempdir().unwrap();
        for address in
            ["https://127.0.0.1/a.zip", "https://localhost/a.zip", "https://[::1]/a.zip", "https://10.0.0.1/a.zip", "https://2130706433/"]
        {
            let error = fetch(&address.parse().unwrap(), &Allowed::default(), 100, &folder.path().join("zip")).await.unwrap_err();
            assert!(error.message.contains("an address that builds may not reach"), "{error}");
        }
        let named =
            fetch(&"https://me:secret@example.com/a.zip".parse().unwrap(), &Allowed::default(), 1, &folder.path().join("zip")).await;
        let message = named.unwrap_err().message;
        assert!(message.contains("names and passwords") && !message.contains("secret"), "{message}");
    }
}
