//! Reading columns and binding values, alike for every resource.

use crate::{Result, StoreError};
use serde::de::DeserializeOwned;
use sqlx::{Row as _, any::AnyRow};
use std::str::FromStr;
use virga_model::Timestamp;

/// Time as it is bound: microseconds since the epoch.
#[must_use]
pub fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// The current time, cut to what the database keeps, so that what was written equals what is read.
#[must_use]
pub fn cut_to_micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// The time of the next change of a row last changed at `last`: `now`, but always later than `last`, because it is also the
/// generation by which a lost race is noticed.
#[must_use]
pub fn next_generation(last: Timestamp, now: Timestamp) -> Timestamp {
    let now = cut_to_micros(now);
    if now > last { now } else { Timestamp::from_microsecond(last.as_microsecond().saturating_add(1)).unwrap_or(last) }
}

/// Truth as it is bound: 0 or 1.
#[must_use]
pub fn truth(value: bool) -> i64 {
    i64::from(value)
}

/// JSON as it is bound.
///
/// # Errors
/// [`StoreError::Corrupt`] where the value has no JSON form (a map with keys that are no text).
pub fn json<T: serde::Serialize + ?Sized>(column: &str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| corrupt(column, error))
}

fn corrupt(column: &str, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt { column: column.to_owned(), reason: reason.into() }
}

/// Typed columns of a row, by name.
///
/// Every function fails with [`StoreError::Corrupt`] for a column that does not hold what is asked for.
#[expect(clippy::missing_errors_doc, reason = "the trait says it once for all")]
pub trait Columns {
    /// TEXT NOT NULL.
    fn text(&self, column: &str) -> Result<String>;
    /// TEXT.
    fn opt_text(&self, column: &str) -> Result<Option<String>>;
    /// BIGINT NOT NULL.
    fn int(&self, column: &str) -> Result<i64>;
    /// BIGINT.
    fn opt_int(&self, column: &str) -> Result<Option<i64>>;

    /// BIGINT NOT NULL that is never negative and fits.
    fn count<T: TryFrom<i64>>(&self, column: &str) -> Result<T>
    where
        T::Error: std::error::Error + Send + Sync + 'static,
    {
        T::try_from(self.int(column)?).map_err(|error| corrupt(column, error))
    }
    /// BIGINT that is never negative and fits.
    fn opt_count<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>>
    where
        T::Error: std::error::Error + Send + Sync + 'static,
    {
        self.opt_int(column)?.map(|value| T::try_from(value).map_err(|error| corrupt(column, error))).transpose()
    }
    /// BIGINT NOT NULL, 0 or 1.
    fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }
    /// BIGINT NOT NULL, microseconds.
    fn time(&self, column: &str) -> Result<Timestamp> {
        Timestamp::from_microsecond(self.int(column)?).map_err(|error| corrupt(column, error))
    }
    /// BIGINT, microseconds.
    fn opt_time(&self, column: &str) -> Result<Option<Timestamp>> {
        let time = |micros| Timestamp::from_microsecond(micros).map_err(|error| corrupt(column, error));
        self.opt_int(column)?.map(time).transpose()
    }
    /// TEXT NOT NULL that is a guid, a state word, a digest.
    fn parsed<T: FromStr>(&self, column: &str) -> Result<T>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.text(column)?.parse().map_err(|error: T::Err| corrupt(column, error))
    }
    /// TEXT that is a guid, a state word, a digest.
    fn opt_parsed<T: FromStr>(&self, column: &str) -> Result<Option<T>>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let parse = |text: String| text.parse().map_err(|error: T::Err| corrupt(column, error));
        self.opt_text(column)?.map(parse).transpose()
    }
    /// TEXT NOT NULL that is JSON.
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| corrupt(column, error))
    }
    /// TEXT that is JSON.
    fn opt_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let parse = |text: String| serde_json::from_str(&text).map_err(|error| corrupt(column, error));
        self.opt_text(column)?.map(parse).transpose()
    }
}

impl Columns for AnyRow {
    fn text(&self, column: &str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn opt_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.try_get(column)?)
    }

    fn int(&self, column: &str) -> Result<i64> {
        Ok(self.try_get(column)?)
    }

    fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }
}
