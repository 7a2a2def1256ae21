//! `Staticfile`: the keys of Cloud Foundry's staticfile buildpack.

use crate::failure;
use serde_yaml_ng::Value;
use virga_contract::staging::StagingError;
use virga_model::droplet::StaticSite;

/// What a `Staticfile` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) root: Option<String>,
    pub(super) site: StaticSite,
    /// Keys that mean something to nginx, or nothing at all.
    pub(super) unknown: Vec<String>,
}

/// How long browsers remember to come by `https`; that of Cloud Foundry's buildpack.
const HSTS: &str = "max-age=31536000";

/// Reads it; an empty one is one too.
pub(super) fn parse(text: &str) -> Result<Settings, StagingError> {
    let wrong = |what: String| failure::compile(format!("the Staticfile cannot be read: {what}"));
    let read: Value = serde_yaml_ng::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let mut settings = Settings::default();
    let keys = match read {
        Value::Null => return Ok(settings),
        Value::Mapping(keys) => keys,
        _ => return Err(wrong("it must hold keys with values (root: public)".into())),
    };
    let (mut hsts, mut hsts_more) = (false, String::new());
    for (key, value) in keys {
        let key = key.as_str().unwrap_or_default().to_owned();
        match key.as_str() {
            "root" => settings.root = Some(word(&value).ok_or_else(|| wrong("'root' must name a folder".into()))?),
            "pushstate" => settings.site.pushstate = is_on(&value),
            "directory" => settings.site.directory_listing = is_on(&value),
            "host_dot_files" => settings.site.host_dot_files = is_on(&value),
            "force_https" => settings.site.force_https = is_on(&value),
            "http_strict_transport_security" => hsts = is_on(&value),
            "http_strict_transport_security_include_subdomains" if is_on(&value) => hsts_more.push_str("; includeSubDomains"),
            "http_strict_transport_security_preload" if is_on(&value) => hsts_more.push_str("; preload"),
            "status_codes" => {
                let Value::Mapping(pages) = value else { return Err(wrong("'status_codes' must hold statuses with paths".into())) };
                for (status, page) in pages {
                    let status = word(&status).and_then(|status| status.parse().ok()).filter(|status| (400..600).contains(status));
                    let (Some(status), Some(page)) = (status, word(&page)) else {
                        return Err(wrong("'status_codes' must hold statuses from 400 to 599 with paths (404: /404.html)".into()));
                    };
                    settings.site.error_pages.insert(status, page.trim_start_matches('/').to_owned());
                }
            }
            _ => settings.unknown.push(key),
        }
    }
    settings.site.strict_transport_security = hsts.then(|| format!("{HSTS}{hsts_more}"));
    Ok(settings)
}

/// A scalar as it was written.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `enabled`, `visible` and `on` are Cloud Foundry's words for it.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Bool(on) => *on,
        Value::String(text) => matches!(text.as_str(), "enabled" | "true" | "visible" | "on" | "yes"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staticfile_is_read_as_cloud_foundry_reads_it() {
        let text = "root: dist\npushstate: enabled # single page\ndirectory: visible\nhost_dot_files: true\nforce_https: true\n\
            http_strict_transport_security: true\nhttp_strict_transport_security_preload: true\nstatus_codes:\n  404: /404.html\nssi: enabled\n";
        let settings = parse(text).unwrap();
        assert_eq!(settings.root.as_deref(), Some("dist"));
        let site = &settings.site;
        assert!(site.pushstate && site.directory_listing && site.host_dot_files && site.force_https);
        assert_eq!(site.strict_transport_security.as_deref(), Some("max-age=31536000; preload"));
        assert_eq!(site.error_pages.get(&404).map(String::as_str), Some("404.html"));
        assert_eq!(settings.unknown, ["ssi"]);
        assert_eq!(parse("").unwrap(), Settings::default());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in ["- a\n", "root: [a]\n", "status_codes: 404\n", "status_codes:\n  200: /x\n", "a: b: c\n"] {
            assert!(parse(text).unwrap_err().message.starts_with("the Staticfile cannot be read"), "{text}");
        }
    }
}
