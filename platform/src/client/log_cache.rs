//! Reads an app's log: recent lines, and a tail that follows.

use super::{Client, Result, encode};
use base64::Engine as _;
use serde::Deserialize;
use std::time::Duration;

/// How often a tail asks for news.
const TAIL_PERIOD: Duration = Duration::from_millis(200);
/// Lines of one read.
const PAGE: usize = 1_000;
/// Errors in a row after which a tail gives up.
const TAIL_ERRORS: u32 = 5;

/// One line of an app's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Nanoseconds since the epoch.
    pub timestamp_ns: i64,
    /// `APP/PROC/WEB`, `RTR`, …
    pub source_type: String,
    /// Index of the instance.
    pub instance: String,
    /// `OUT` or `ERR`.
    pub stream: String,
    /// The text.
    pub text: String,
}

#[derive(Deserialize)]
struct ReadAnswer {
    envelopes: Batch,
}

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    batch: Vec<RawEnvelope>,
}

#[derive(Deserialize)]
struct RawEnvelope {
    timestamp: String,
    #[serde(default)]
    instance_id: String,
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
    log: Option<RawLog>,
}

#[derive(Deserialize)]
struct RawLog {
    #[serde(default)]
    payload: String,
    #[serde(default, rename = "type")]
    stream: String,
}

impl RawEnvelope {
    fn line(self) -> Option<LogLine> {
        let log = self.log?;
        let payload = base64::engine::general_purpose::STANDARD.decode(log.payload).ok()?;
        Some(LogLine {
            timestamp_ns: self.timestamp.parse().ok()?,
            source_type: self.tags.get("source_type").cloned().unwrap_or_default(),
            instance: self.instance_id,
            stream: if log.stream.is_empty() { "OUT".to_owned() } else { log.stream },
            text: String::from_utf8_lossy(&payload).into_owned(),
        })
    }
}

impl LogLine {
    /// The line as `cf logs` prints it.
    pub fn render(&self) -> String {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.timestamp_ns)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let time = time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S.%2f%z").to_string();
        format!("   {time} [{}/{}] {} {}", self.source_type, self.instance, self.stream, self.text)
    }
}

impl Client {
    /// The newest lines, oldest first.
    pub async fn recent_logs(&self, app: &str) -> Result<Vec<LogLine>> {
        let mut lines = self.read_logs(app, "descending=true&limit=1000&start_time=0").await?;
        lines.reverse();
        Ok(lines)
    }

    async fn read_logs(&self, app: &str, query: &str) -> Result<Vec<LogLine>> {
        let base = self.session().log_cache;
        let url = format!("{base}/api/v1/read/{}?envelope_types=LOG&{query}", encode(app));
        let answer: ReadAnswer = self.get(&url).await?;
        Ok(answer.envelopes.batch.into_iter().filter_map(RawEnvelope::line).collect())
    }
}

/// Follows an app's log.
pub struct Tail<'a> {
    client: &'a Client,
    app: String,
    start_ns: i64,
}

impl<'a> Tail<'a> {
    /// A tail that begins at `start_ns`.
    pub fn new(client: &'a Client, app: &str, start_ns: i64) -> Self {
        Self { client, app: app.to_owned(), start_ns }
    }

    /// The lines that came since the last call, oldest first.
    pub async fn news(&mut self) -> Result<Vec<LogLine>> {
        let mut all = Vec::new();
        loop {
            let lines = self.client.read_logs(&self.app, &format!("limit={PAGE}&start_time={}", self.start_ns)).await?;
            let is_last = lines.len() < PAGE;
            if let Some(newest) = lines.iter().map(|line| line.timestamp_ns).max() {
                self.start_ns = self.start_ns.max(newest + 1);
            }
            all.extend(lines);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Hands line after line to `each`; ends with its error, or after several failed reads in a row.
    pub async fn follow(mut self, mut each: impl FnMut(&LogLine) -> std::io::Result<()>) -> anyhow::Result<()> {
        let mut failures = 0;
        loop {
            match self.news().await {
                Ok(lines) => {
                    failures = 0;
                    lines.iter().try_for_each(&mut each)?;
                }
                Err(error) => {
                    failures += 1;
                    if failures == TAIL_ERRORS {
                        return Err(error.into());
                    }
                }
            }
            tokio::time::sleep(TAIL_PERIOD).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_become_lines() {
        let json = r#"{"envelopes":{"batch":[
            {"timestamp":"1700000000000000000","source_id":"a","instance_id":"0","deprecated_tags":{},
             "tags":{"source_type":"APP/PROC/WEB"},"log":{"payload":"aGVsbG8=","type":"ERR"}},
            {"timestamp":"1700000000000000001","source_id":"a","instance_id":"0","gauge":{"metrics":{}}}]}}"#;
        let answer: ReadAnswer = serde_json::from_str(json).unwrap();
        let lines: Vec<_> = answer.envelopes.batch.into_iter().filter_map(RawEnvelope::line).collect();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].render().ends_with("[APP/PROC/WEB/0] ERR hello"));
    }
}
