//! Reading the keys of a manifest's map, with every problem kept in the words of the Cloud Controller.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use virga_model::size::{parse_bytes, parse_megabytes};

/// A map that is being read.
#[derive(Debug)]
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl<'a> Fields<'a> {
    /// Reads this map.
    pub fn new(map: &'a Map<String, Value>) -> Self {
        Self { map, problems: Vec::new() }
    }

    /// Notes a problem.
    pub fn problem(&mut self, text: &str) {
        self.problems.push(text.to_owned());
    }

    /// Takes over the problems of a map inside this one.
    pub fn adopt(&mut self, inner: Fields<'_>, prefix: &str) {
        self.problems.extend(inner.problems.into_iter().map(|problem| format!("{prefix}: {problem}")));
    }

    /// What was found.
    pub fn into_problems(self) -> Vec<String> {
        self.problems
    }

    /// The value of a key, whatever it is.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    /// Whether a key is there and not null.
    pub fn has(&self, key: &str) -> bool {
        self.given(key).is_some()
    }

    fn given(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn wrong<T>(&mut self, key: &str, must: &str) -> Option<T> {
        self.problems.push(format!("{} must be {must}", title(key)));
        None
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.given(key)? {
            Value::String(text) => Some(text.clone()),
            _ => self.wrong(key, "a string"),
        }
    }

    /// Truth; absent is false.
    pub fn flag(&mut self, key: &str) -> bool {
        match self.given(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => self.wrong(key, "a boolean").unwrap_or(false),
        }
    }

    /// A list.
    pub fn list(&mut self, key: &str) -> Option<&'a [Value]> {
        match self.given(key)? {
            Value::Array(list) => Some(list),
            _ => self.wrong(key, "a list"),
        }
    }

    /// A map.
    pub fn object(&mut self, key: &str) -> Option<&'a Map<String, Value>> {
        match self.given(key)? {
            Value::Object(object) => Some(object),
            _ => self.wrong(key, "an object of keys and values"),
        }
    }

    /// A map of truths.
    pub fn flags(&mut self, key: &str) -> BTreeMap<String, bool> {
        let mut flags = BTreeMap::new();
        for (name, value) in self.object(key).into_iter().flatten() {
            match value.as_bool() {
                Some(flag) => drop(flags.insert(name.clone(), flag)),
                None => self.problems.push(format!("{} must be an object of booleans", title(key))),
            }
        }
        flags
    }

    /// A map of texts, where null removes.
    pub fn texts(&mut self, key: &str) -> BTreeMap<String, Option<String>> {
        let mut texts = BTreeMap::new();
        for (name, value) in self.object(key).into_iter().flatten() {
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
                _ => {
                    self.problems.push(format!("{} must be an object of strings", title(key)));
                    continue;
                }
            };
            texts.insert(name.clone(), text);
        }
        texts
    }

    /// A whole number within bounds.
    pub fn number(&mut self, key: &str, least: u32, most: u32) -> Option<u32> {
        let value = self.given(key)?;
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let Some(number) = number else {
            self.problems.push(format!("{} is not a number", title(key)));
            return None;
        };
        match u32::try_from(number) {
            Ok(number) if number >= least && number <= most => Some(number),
            _ if number < i64::from(least) => {
                self.problems.push(format!("{} must be greater than or equal to {least}", title(key)));
                None
            }
            _ => {
                self.problems.push(format!("{} must be less than or equal to {most}", title(key)));
                None
            }
        }
    }

    /// A size with a unit, in whole megabytes.
    pub fn megabytes(&mut self, key: &str, subject: &str) -> Option<u64> {
        let text = match self.given(key)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let size = parse_megabytes(&text);
        if let Err(error) = &size {
            let zero = parse_bytes(&text).is_ok();
            let problem = if zero { "must be greater than 0MB".to_owned() } else { error.to_string() };
            self.problems.push(format!("{subject} {problem}"));
        }
        size.ok().filter(|size| *size < 1 << 40)
    }

    /// Bytes per second: a size with a unit, `0`, or `-1` for no limit.
    pub fn log_rate(&mut self, key: &str) -> Option<i64> {
        let text = match self.given(key)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let rate = match text.trim() {
            "-1" => Some(-1),
            "0" => Some(0),
            sized => parse_bytes(sized).ok().and_then(|bytes| i64::try_from(bytes).ok()),
        };
        if rate.is_none() {
            self.problems.push("Log rate limit per second must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB".to_owned());
        }
        rate
    }
}

/// `health-check-type` as a sentence starts with it: `Health check type`.
fn title(key: &str) -> String {
    let words = key.replace(['-', '_'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
