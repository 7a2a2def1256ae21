//! Filters as SCIM has them, and the pages of what fits them.

use crate::{
    Connection, Result,
    row::Columns as _,
    select::{Bind, bind},
};
use sqlx::{AssertSqlSafe, any::AnyRow};

/// What a column holds; says how it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TEXT, whatever its case.
    Text,
    /// TEXT that is in lower case already.
    LowerText,
    /// BIGINT, 0 or 1.
    Flag,
    /// BIGINT, microseconds.
    Time,
    /// BIGINT.
    Number,
}

/// A column that a filter compares or a page is ordered by: this program's own text, never a caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `co`; texts only.
    Contains,
    /// `sw`; texts only.
    StartsWith,
    /// `ew`; texts only.
    EndsWith,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

/// A condition on rows. Whoever makes one bounds how deep it nests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Always true.
    Everything,
    /// A comparison of a column that is not NULL.
    Compare(Column, Operator, Bind),
    /// The column holds something: not NULL, and no empty text.
    Present(Column),
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// One or both.
    Or(Box<Filter>, Box<Filter>),
    /// The opposite.
    Not(Box<Filter>),
}

impl Filter {
    fn render(&self, sql: &mut String, binds: &mut Vec<Bind>) {
        match self {
            Self::Everything => sql.push_str("1 = 1"),
            Self::Compare(column, operator, value) => compare(*column, *operator, value, sql, binds),
            Self::Present(Column { name, kind: Kind::Text | Kind::LowerText }) => sql.push_str(&format!("COALESCE({name}, '') <> ''")),
            Self::Present(Column { name, .. }) => sql.push_str(&format!("{name} IS NOT NULL")),
            Self::And(left, right) => Self::joined(left, " AND ", right, sql, binds),
            Self::Or(left, right) => Self::joined(left, " OR ", right, sql, binds),
            Self::Not(inner) => {
                sql.push_str("NOT (");
                inner.render(sql, binds);
                sql.push(')');
            }
        }
    }

    fn joined(left: &Self, word: &str, right: &Self, sql: &mut String, binds: &mut Vec<Bind>) {
        sql.push('(');
        left.render(sql, binds);
        sql.push_str(word);
        right.render(sql, binds);
        sql.push(')');
    }
}

fn compare(column: Column, operator: Operator, value: &Bind, sql: &mut String, binds: &mut Vec<Bind>) {
    let like = |text: &str| text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    let text = match value {
        Bind::Text(text) => text.as_str(),
        _ => "",
    };
    let (word, value) = match operator {
        Operator::Equal => ("=", value.clone()),
        Operator::NotEqual => ("<>", value.clone()),
        Operator::Greater => (">", value.clone()),
        Operator::GreaterOrEqual => (">=", value.clone()),
        Operator::Less => ("<", value.clone()),
        Operator::LessOrEqual => ("<=", value.clone()),
        Operator::Contains => ("LIKE", format!("%{}%", like(text)).into()),
        Operator::StartsWith => ("LIKE", format!("{}%", like(text)).into()),
        Operator::EndsWith => ("LIKE", format!("%{}", like(text)).into()),
    };
    binds.push(value);
    let (name, number) = (column.name, binds.len());
    let (left, right) = match column.kind {
        Kind::Text => (format!("LOWER(COALESCE({name}, ''))"), format!("LOWER(${number})")),
        Kind::LowerText => (name.to_owned(), format!("${number}")),
        // A comparison with NULL is false, and its opposite true.
        Kind::Time | Kind::Number | Kind::Flag => (format!("COALESCE({name}, -1)"), format!("${number}")),
    };
    let escape = if word == "LIKE" { " ESCAPE '!'" } else { "" };
    sql.push_str(&format!("{left} {word} {right}{escape}"));
}

/// Which rows, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Those that fit.
    pub filter: Filter,
    /// In the order of this column.
    pub order_by: Column,
    /// Greatest first.
    pub descending: bool,
    /// Rows to leave out at the start.
    pub skip: u32,
    /// Rows at most.
    pub limit: u32,
}

/// The rows of a table (this program's own text), and how many fit on all. `key` settles the order among equals.
pub(super) async fn page<T>(
    db: &mut Connection,
    table: &'static str,
    key: &'static str,
    listing: &Listing,
    read: fn(&AnyRow) -> Result<T>,
) -> Result<(Vec<T>, u64)> {
    let (mut condition, mut binds) = (String::new(), Vec::new());
    listing.filter.render(&mut condition, &mut binds);
    let direction = if listing.descending { "DESC" } else { "ASC" };
    let order = match listing.order_by.kind {
        Kind::Text => format!("LOWER({})", listing.order_by.name),
        _ => listing.order_by.name.to_owned(),
    };
    let (skip, limit) = (listing.skip, listing.limit);
    let count = sqlx::query(AssertSqlSafe(format!("SELECT COUNT(*) AS total FROM {table} WHERE {condition}")));
    let total = binds.iter().cloned().fold(count, bind).fetch_one(&mut *db).await?.count("total")?;
    let rows =
        format!("SELECT * FROM {table} WHERE {condition} ORDER BY {order} {direction}, {key} {direction} LIMIT {limit} OFFSET {skip}");
    let rows = binds.into_iter().fold(sqlx::query(AssertSqlSafe(rows)), bind).fetch_all(db).await?;
    Ok((rows.iter().map(read).collect::<Result<_>>()?, total))
}
