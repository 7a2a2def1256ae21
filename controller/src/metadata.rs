//! Labels and annotations: their rules, and how a change is merged.

use crate::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use virga_contract::{ApiError, ErrorCode};
use virga_store::metadata::Metadata;

/// Longest prefix of a key, bytes (a DNS name).
const MAX_PREFIX_BYTES: usize = 253;
/// Longest name of a key and longest label, bytes.
const MAX_NAME_BYTES: usize = 63;
/// Longest annotation, characters.
const MAX_ANNOTATION_CHARS: usize = 5000;
/// Most labels, and most annotations, of one resource.
const MAX_ENTRIES: usize = 200;
/// A prefix that is Cloud Foundry's own.
const RESERVED_PREFIX: &str = "cloudfoundry.org";

/// `metadata` of a request: what is named changes, `null` deletes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetadataPatch {
    /// Labels to set or delete.
    pub labels: Option<BTreeMap<String, Option<String>>>,
    /// Annotations to set or delete.
    pub annotations: Option<BTreeMap<String, Option<String>>>,
}

impl MetadataPatch {
    /// What a new resource gets.
    ///
    /// # Errors
    /// 422 that names every entry that breaks a rule.
    pub fn create(patch: Option<Self>) -> Result<Metadata> {
        let mut metadata = Metadata::default();
        patch.unwrap_or_default().apply(&mut metadata)?;
        Ok(metadata)
    }

    /// Merges the change.
    ///
    /// # Errors
    /// 422 that names every entry that breaks a rule; nothing has changed then.
    pub fn apply(self, metadata: &mut Metadata) -> Result<()> {
        let (labels, annotations) = (self.labels.unwrap_or_default(), self.annotations.unwrap_or_default());
        let mut wrong: Vec<String> = labels.iter().filter_map(|(key, value)| wrong_label(key, value.as_deref())).collect();
        wrong.extend(annotations.iter().filter_map(|(key, value)| wrong_annotation(key, value.as_deref())));
        if !wrong.is_empty() {
            return Err(ApiError::unprocessable_all(wrong).into());
        }
        let (given_labels, given_annotations) = (labels.len(), annotations.len());
        let (new_labels, new_annotations) = (merged(&metadata.labels, labels), merged(&metadata.annotations, annotations));
        for (code, kind, given, before, after) in [
            (ErrorCode::LabelLimitExceeded, "labels", given_labels, metadata.labels.len(), new_labels.len()),
            (ErrorCode::AnnotationLimitExceeded, "annotations", given_annotations, metadata.annotations.len(), new_annotations.len()),
        ] {
            if after > before && after > MAX_ENTRIES {
                let detail = format!("Failed to add {given} {kind} because it would exceed maximum of {MAX_ENTRIES}");
                return Err(ApiError::new(code, detail).into());
            }
        }
        (metadata.labels, metadata.annotations) = (new_labels, new_annotations);
        Ok(())
    }
}

fn merged(old: &BTreeMap<String, String>, change: BTreeMap<String, Option<String>>) -> BTreeMap<String, String> {
    let mut new = old.clone();
    for (key, value) in change {
        match value {
            Some(value) => drop(new.insert(key, value)),
            None => drop(new.remove(&key)),
        }
    }
    new
}

fn wrong_label(key: &str, value: Option<&str>) -> Option<String> {
    if let Some(wrong) = wrong_key(key) {
        return Some(format!("Metadata label key error: {wrong}"));
    }
    let value = value.unwrap_or_default();
    if value.len() > MAX_NAME_BYTES {
        Some(format!("Metadata label value error: '{}' is greater than {MAX_NAME_BYTES} characters", shortened(value)))
    } else if !value.is_empty() && !is_name(value) {
        Some(format!(
            "Metadata label value error: '{}' must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            shortened(value)
        ))
    } else {
        None
    }
}

fn wrong_annotation(key: &str, value: Option<&str>) -> Option<String> {
    if let Some(wrong) = wrong_key(key) {
        return Some(format!("Metadata annotation key error: {wrong}"));
    }
    let value = value.unwrap_or_default();
    let long = value.chars().count() > MAX_ANNOTATION_CHARS;
    long.then(|| format!("Metadata annotation value error: '{}' is greater than {MAX_ANNOTATION_CHARS} characters", shortened(value)))
}

/// Whether `key` is a key: `[prefix/]name`.
#[must_use]
pub fn is_key(key: &str) -> bool {
    wrong_key(key).is_none()
}

fn wrong_key(key: &str) -> Option<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix {
        let dns = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && is_name(label);
        if prefix.len() > MAX_PREFIX_BYTES {
            return Some(format!("prefix '{}' is greater than {MAX_PREFIX_BYTES} characters", shortened(prefix)));
        }
        if !prefix.split('.').all(dns) {
            return Some(format!("prefix '{prefix}' must be in valid dns format"));
        }
        if prefix.eq_ignore_ascii_case(RESERVED_PREFIX) {
            return Some(format!("prefix '{prefix}' is reserved"));
        }
    }
    if name.is_empty() {
        Some("key cannot be empty string".to_owned())
    } else if name.len() > MAX_NAME_BYTES {
        Some(format!("'{}' is greater than {MAX_NAME_BYTES} characters", shortened(name)))
    } else if !is_name(name) {
        Some(format!(
            "'{}' must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            shortened(name)
        ))
    } else {
        None
    }
}

fn is_name(text: &str) -> bool {
    let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    end(text.bytes().next()) && end(text.bytes().last()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn shortened(text: &str) -> String {
    if text.chars().count() > 8 { text.chars().take(8).chain("...".chars()).collect() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(json: &str) -> MetadataPatch {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_patch_merges_and_null_deletes() {
        let mut metadata = MetadataPatch::create(Some(patch(r#"{"labels":{"a":"1","b":""},"annotations":{"x":"y z"}}"#))).unwrap();
        patch(r#"{"labels":{"a":null,"example.com/c":"3"}}"#).apply(&mut metadata).unwrap();
        assert_eq!(metadata.labels.keys().collect::<Vec<_>>(), ["b", "example.com/c"]);
        assert_eq!(metadata.annotations.len(), 1);
    }

    #[test]
    fn every_broken_rule_is_named_and_nothing_changes() {
        let mut metadata = Metadata::default();
        let bad = r#"{"labels":{"ok":"fine","-a":"1","cloudfoundry.org/x":"1","b":"ü","/x":"1"},"annotations":{"no spaces":"x"}}"#;
        let error = patch(bad).apply(&mut metadata).unwrap_err();
        assert_eq!(error.api().problems.len(), 5, "{error}");
        assert_eq!(metadata, Metadata::default());
    }
}
