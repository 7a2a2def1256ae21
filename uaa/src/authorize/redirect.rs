//! Where a code may be sent: only to what the client registered, to the letter.

use url::{Host, Url};

/// Schemes that would run or show something in the user's browser.
const FORBIDDEN_SCHEMES: &[&str] = &["javascript", "data", "vbscript", "file", "about", "blob", "filesystem", "view-source"];

/// Why a URI cannot be registered, if so.
pub(crate) fn check_registered(uri: &str) -> Result<(), String> {
    if uri.contains('*') {
        return Err("wildcards are not supported: name every URI".to_owned());
    }
    let parsed = Url::parse(uri).map_err(|error| format!("it is no absolute URI ({error})"))?;
    if FORBIDDEN_SCHEMES.contains(&parsed.scheme()) {
        return Err(format!("the scheme {} is not allowed", parsed.scheme()));
    }
    if parsed.fragment().is_some() || uri.contains('#') {
        return Err("it must not have a fragment".to_owned());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("it must not have a user name or password".to_owned());
    }
    if uri.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it must not have spaces or control characters".to_owned());
    }
    Ok(())
}

/// The URI to send a code to: the one that was asked for if it is registered, or the only one that is.
pub(crate) fn choose(asked: Option<&str>, registered: &[String]) -> Option<Url> {
    let chosen = match (asked, registered) {
        (Some(asked), _) => registered.iter().find(|registered| *registered == asked || is_same_program(asked, registered)).map(|_| asked),
        (None, [only]) => Some(only.as_str()),
        (None, _) => None,
    };
    // What was checked when it was registered is checked again where it is used.
    chosen.filter(|chosen| check_registered(chosen).is_ok()).and_then(|chosen| Url::parse(chosen).ok())
}

/// A program on the user's own machine listens on whatever port it gets (RFC 8252, 7.3).
fn is_same_program(asked: &str, registered: &str) -> bool {
    let (Ok(mut asked), Ok(mut registered)) = (Url::parse(asked), Url::parse(registered)) else { return false };
    let is_loopback = |url: &Url| {
        url.scheme() == "http"
            && match url.host() {
                Some(Host::Ipv4(address)) => address.is_loopback(),
                Some(Host::Ipv6(address)) => address.is_loopback(),
                Some(Host::Domain(name)) => name == "localhost",
                None => false,
            }
    };
    let without_port = asked.set_port(None).is_ok() && registered.set_port(None).is_ok();
    is_loopback(&asked) && without_port && asked == registered
}

/// What `form-action` must allow so that a browser follows an answer to a form there.
pub(crate) fn form_action(url: &Url) -> String {
    match url.scheme() {
        "http" | "https" => url.origin().ascii_serialization(),
        scheme => format!("{scheme}:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_registered_is_chosen() {
        let registered = ["https://app.example/cb".to_owned(), "http://127.0.0.1/cb".to_owned(), "myapp://done".to_owned()];
        for good in ["https://app.example/cb", "http://127.0.0.1:5555/cb", "http://127.0.0.1/cb", "myapp://done"] {
            assert_eq!(choose(Some(good), &registered).unwrap().as_str(), good);
        }
        for bad in [
            "https://app.example/cb/..",
            "https://app.example/cb?x=1",
            "https://app.example:444/cb",
            "https://app.example.evil/cb",
            "https://evil@app.example/cb",
            "http://127.0.0.1:5555/other",
            "http://127.0.0.2:5555/cb",
            "https://127.0.0.1:5555/cb",
            "http://127.0.0.1:5555/cb#x",
            "http://x@127.0.0.1:5555/cb",
            "",
        ] {
            assert_eq!(choose(Some(bad), &registered), None, "{bad}");
        }
        assert_eq!(choose(None, &registered), None);
        assert_eq!(choose(None, &registered[..1]).unwrap().as_str(), "https://app.example/cb");
        assert_eq!(choose(None, &[]), None);
    }

    #[test]
    fn dangerous_uris_cannot_be_registered() {
        for bad in [
            "javascript:alert(1)",
            "/relative",
            "https://*.example/cb",
            "https://a.example/#x",
            "https://u:p@a.example/",
            "data:text/html,x",
        ] {
            assert!(check_registered(bad).is_err(), "{bad}");
        }
        assert_eq!(form_action(&Url::parse("https://a.example:8443/x?y").unwrap()), "https://a.example:8443");
        assert_eq!(form_action(&Url::parse("myapp://done").unwrap()), "myapp:");
    }
}
