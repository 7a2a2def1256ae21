//! Resources that are one row of one table each: written, changed, found and deleted alike.
//!
//! A resource's file says what its row holds ([`Record`]) and calls the macro `functions!`, which gives it
//! `insert`, `update`, `find` and `delete`; its own SQL is only what is peculiar to it.

use crate::{
    Connection, Result, StoreError,
    metadata::{Metadata, index_labels},
    row::{json, micros, next_generation},
    select::{Bind, bind},
};
use sqlx::{AssertSqlSafe, any::AnyRow};
use std::{
    collections::BTreeMap,
    fmt::{Display, Write as _},
};
use virga_model::Timestamp;

/// A row of a table with the columns `guid`, `created_at` and `updated_at`.
pub trait Record: Sized {
    /// Its guid.
    type Guid: Display + Copy;
    /// Name of the table.
    const TABLE: &'static str;
    /// Columns that keep what they were first written with, besides `guid` and `created_at`.
    const FIXED: &'static [&'static str];

    /// Its guid.
    fn guid(&self) -> Self::Guid;
    /// `created_at` and `updated_at`.
    fn times(&self) -> (Timestamp, Timestamp);
    /// Sets `updated_at`.
    fn touch(&mut self, now: Timestamp);
    /// Every other column with its value.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a value without a JSON form.
    fn values(&self) -> Result<Values>;
    /// From a row with every column.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    fn from_row(row: &AnyRow) -> Result<Self>;
}

/// Columns and what is written to them.
#[derive(Debug, Clone, Default)]
pub struct Values {
    columns: Vec<(&'static str, Bind)>,
    labels: Option<BTreeMap<String, String>>,
}

impl Values {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A column of type TEXT or BIGINT.
    #[must_use]
    pub fn set(mut self, column: &'static str, value: impl Into<Bind>) -> Self {
        self.columns.push((column, value.into()));
        self
    }

    /// A TEXT column with a guid, a digest or a state's word.
    #[must_use]
    pub fn word(self, column: &'static str, value: impl Display) -> Self {
        self.set(column, value.to_string())
    }

    /// The same where it may be NULL.
    #[must_use]
    pub fn opt_word(self, column: &'static str, value: Option<impl Display>) -> Self {
        self.set(column, value.map(|value| value.to_string()))
    }

    /// A TEXT column that holds JSON.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a value without a JSON form.
    pub fn json<T: serde::Serialize + ?Sized>(self, column: &'static str, value: &T) -> Result<Self> {
        let text = json(column, value)?;
        Ok(self.set(column, text))
    }

    /// `labels` and `annotations`; the index of labels follows.
    ///
    /// # Errors
    /// None in practice: maps of texts have a JSON form.
    pub fn metadata(self, metadata: &Metadata) -> Result<Self> {
        let mut values = self.set("labels", metadata.labels_json()?).set("annotations", metadata.annotations_json()?);
        values.labels = Some(metadata.labels.clone());
        Ok(values)
    }
}

/// Gives a resource's file `insert`, `update`, `find` and `delete` for its row.
macro_rules! functions {
    ($row:ty) => {
        /// Writes a new row.
        ///
        /// # Errors
        /// [`crate::StoreError::Unique`] by what the table's constraints say; those of the database.
        pub async fn insert(db: &mut $crate::Connection, row: &$row) -> $crate::Result<()> {
            $crate::record::insert(db, row).await
        }

        /// Writes everything about the row that can change, and sets its `updated_at` to `now` or later.
        ///
        /// # Errors
        /// [`crate::StoreError::Conflict`] when it was changed or deleted since `row` was read;
        /// [`crate::StoreError::Unique`] by what the table's constraints say; those of the database.
        pub async fn update(db: &mut $crate::Connection, row: &mut $row, now: virga_model::Timestamp) -> $crate::Result<()> {
            $crate::record::update(db, row, now).await
        }

        /// The row of this guid.
        ///
        /// # Errors
        /// Those of the database.
        pub async fn find(db: &mut $crate::Connection, guid: <$row as $crate::record::Record>::Guid) -> $crate::Result<Option<$row>> {
            $crate::record::find(db, guid).await
        }

        /// Deletes the row. False when there was none.
        ///
        /// # Errors
        /// [`crate::StoreError::Reference`] while another row needs it; those of the database.
        pub async fn delete(db: &mut $crate::Connection, guid: <$row as $crate::record::Record>::Guid) -> $crate::Result<bool> {
            $crate::record::delete::<$row>(db, guid).await
        }
    };
}
pub(crate) use functions;

/// Gives the file of what belongs to apps (column `app_guid`) `list_of_app`.
macro_rules! of_app {
    ($row:ty) => {
        /// Those of an app, oldest first.
        ///
        /// # Errors
        /// Those of the database.
        pub async fn list_of_app(db: &mut $crate::Connection, app: virga_model::AppGuid) -> $crate::Result<Vec<$row>> {
            $crate::record::all(db, "WHERE app_guid = $1 ORDER BY created_at, guid", [app.to_string().into()]).await
        }
    };
}
pub(crate) use of_app;

/// Says of a row that its `guid`, `created_at` and `updated_at` are fields of these names.
macro_rules! head {
    ($guid:ty) => {
        type Guid = $guid;

        fn guid(&self) -> $guid {
            self.guid
        }

        fn times(&self) -> (virga_model::Timestamp, virga_model::Timestamp) {
            (self.created_at, self.updated_at)
        }

        fn touch(&mut self, now: virga_model::Timestamp) {
            self.updated_at = now;
        }
    };
}
pub(crate) use head;

pub(crate) async fn insert<R: Record>(db: &mut Connection, row: &R) -> Result<()> {
    let values = row.values()?;
    let mut names = "guid, created_at, updated_at".to_owned();
    let mut marks = "$1, $2, $3".to_owned();
    for (number, (column, _)) in (4..).zip(&values.columns) {
        // Writing to a text does not fail.
        let _written = write!(names, ", {column}");
        let _written = write!(marks, ", ${number}");
    }
    let (created, updated) = row.times();
    let sql = format!("INSERT INTO {} ({names}) VALUES ({marks})", R::TABLE);
    let query = sqlx::query(AssertSqlSafe(sql)).bind(row.guid().to_string()).bind(micros(created)).bind(micros(updated));
    values.columns.into_iter().fold(query, |query, (_, value)| bind(query, value)).execute(&mut *db).await?;
    match values.labels.filter(|labels| !labels.is_empty()) {
        Some(labels) => index_labels(db, &row.guid().to_string(), &labels).await,
        None => Ok(()),
    }
}

pub(crate) async fn update<R: Record>(db: &mut Connection, row: &mut R, now: Timestamp) -> Result<()> {
    let Values { mut columns, labels } = row.values()?;
    columns.retain(|(column, _)| !R::FIXED.contains(column));
    let (_, read) = row.times();
    let now = next_generation(read, now);
    let mut sql = format!("UPDATE {} SET updated_at = $1", R::TABLE);
    for (number, (column, _)) in (2..).zip(&columns) {
        let _written = write!(sql, ", {column} = ${number}");
    }
    let last = columns.len() + 2;
    let _written = write!(sql, " WHERE guid = ${last} AND updated_at = ${}", last + 1);
    let query = columns.into_iter().fold(sqlx::query(AssertSqlSafe(sql)).bind(micros(now)), |query, (_, value)| bind(query, value));
    let done = query.bind(row.guid().to_string()).bind(micros(read)).execute(&mut *db).await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    row.touch(now);
    match labels {
        Some(labels) => index_labels(db, &row.guid().to_string(), &labels).await,
        None => Ok(()),
    }
}

/// Keeps the row as it was read until the transaction ends: who changes or deletes it meanwhile waits. An update that changes
/// nothing is the one lock that both databases have.
pub(crate) async fn hold<R: Record>(db: &mut Connection, row: &R) -> Result<()> {
    let sql = format!("UPDATE {} SET updated_at = updated_at WHERE guid = $1 AND updated_at = $2", R::TABLE);
    let (_, read) = row.times();
    let done = sqlx::query(AssertSqlSafe(sql)).bind(row.guid().to_string()).bind(micros(read)).execute(db).await?;
    if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

pub(crate) async fn find<R: Record>(db: &mut Connection, guid: R::Guid) -> Result<Option<R>> {
    first(db, "WHERE guid = $1", [guid.to_string().into()]).await
}

pub(crate) async fn delete<R: Record>(db: &mut Connection, guid: R::Guid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let sql = format!("DELETE FROM {} WHERE guid = $1", R::TABLE);
    let done = sqlx::query(AssertSqlSafe(sql)).bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// The first row of `SELECT * FROM table` and this program's own `rest` (`WHERE name = $1`).
pub(crate) async fn first<R: Record>(db: &mut Connection, rest: &'static str, binds: impl IntoIterator<Item = Bind>) -> Result<Option<R>> {
    let sql = AssertSqlSafe(format!("SELECT * FROM {} {rest}", R::TABLE));
    let query = binds.into_iter().fold(sqlx::query(sql), bind);
    query.fetch_optional(db).await?.as_ref().map(R::from_row).transpose()
}

/// Every row of `SELECT * FROM table` and this program's own `rest` (`WHERE app_guid = $1 ORDER BY created_at, guid`).
pub(crate) async fn all<R: Record>(db: &mut Connection, rest: &'static str, binds: impl IntoIterator<Item = Bind>) -> Result<Vec<R>> {
    let sql = AssertSqlSafe(format!("SELECT * FROM {} {rest}", R::TABLE));
    let query = binds.into_iter().fold(sqlx::query(sql), bind);
    query.fetch_all(db).await?.iter().map(R::from_row).collect()
}

/// Whether any row of the table fits this program's own `condition` (`WHERE digest = $1`).
pub(crate) async fn any<R: Record>(db: &mut Connection, condition: &'static str, binds: impl IntoIterator<Item = Bind>) -> Result<bool> {
    let sql = AssertSqlSafe(format!("SELECT guid FROM {} {condition} LIMIT 1", R::TABLE));
    Ok(binds.into_iter().fold(sqlx::query(sql), bind).fetch_optional(db).await?.is_some())
}
