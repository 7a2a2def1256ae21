//! What can go wrong with the database, by what a caller can do about it.

/// An error of the database. A row that is not there is no error: that is `Ok(None)`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another row has this value already. `constraint` is the table and its columns joined by `_`, such as
    /// `spaces_organization_guid_name`, the same on both databases.
    #[error("a row with these values exists already ({constraint})")]
    Unique {
        /// Which uniqueness.
        constraint: String,
    },
    /// A row that this one refers to is not there, or one that others refer to was to go.
    #[error("a reference between rows would be broken")]
    Reference(#[source] sqlx::Error),
    /// The row was changed by somebody else meanwhile; read again and decide again.
    #[error("the row was changed meanwhile")]
    Conflict,
    /// The database cannot be reached or is too busy; trying later may help.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the migrations could not be applied")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row holds what this program cannot read.
    #[error("column {column} does not hold what it should")]
    Corrupt {
        /// The column.
        column: String,
        /// Why not.
        #[source]
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is kept under the installation's key cannot be written or read.
    #[error("{0}")]
    Sealing(&'static str),
    /// The URL of the database or the file it names cannot be used.
    #[error("the database '{url}' cannot be used: {reason}")]
    Location {
        /// As configured, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A mistake in the SQL or in the driver.
    #[error("the database refused a statement")]
    Statement(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether this is the violation of a uniqueness whose name starts with `constraint`.
    #[must_use]
    pub fn is_unique(&self, constraint: &str) -> bool {
        matches!(self, Self::Unique { constraint: violated } if violated.starts_with(constraint))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => Self::Unavailable(error),
            sqlx::Error::ColumnDecode { index, .. } => Self::Corrupt { column: index.clone(), reason: error.into() },
            sqlx::Error::Database(database) => match database.kind() {
                ErrorKind::UniqueViolation => {
                    let constraint = constraint_name(database.constraint(), database.message());
                    Self::Unique { constraint }
                }
                ErrorKind::ForeignKeyViolation => Self::Reference(error),
                // SQLite: busy (5) and its kin; PostgreSQL: serialization failure, deadlock, shutdown, too many clients.
                _ => match database.code().as_deref() {
                    Some("5" | "261" | "517" | "773" | "6" | "53300" | "57P01" | "57P02" | "57P03") => Self::Unavailable(error),
                    Some("40001" | "40P01") => Self::Conflict,
                    _ => Self::Statement(error),
                },
            },
            _ => Self::Statement(error),
        }
    }
}

/// PostgreSQL names a constraint `table_column_column_key`; SQLite says `UNIQUE constraint failed: table.column, table.column`.
fn constraint_name(constraint: Option<&str>, message: &str) -> String {
    if let Some(name) = constraint {
        return name.strip_suffix("_key").unwrap_or(name).to_owned();
    }
    let columns = message.rsplit("failed: ").next().unwrap_or(message);
    let mut name = String::new();
    for (index, column) in columns.split(", ").enumerate() {
        let (table, column) = column.split_once('.').unwrap_or(("", column));
        if index == 0 {
            name.push_str(table);
        }
        name.push('_');
        name.push_str(column);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::constraint_name;

    #[test]
    fn both_databases_name_a_constraint_alike() {
        let sqlite = constraint_name(None, "UNIQUE constraint failed: spaces.organization_guid, spaces.name");
        let postgres = constraint_name(Some("spaces_organization_guid_name_key"), "duplicate key value violates unique constraint");
        assert_eq!(sqlite, "spaces_organization_guid_name");
        assert_eq!(sqlite, postgres);
    }
}
