//! Lists: filters, label selectors, what a caller may see, order and pages, as one counted SQL query each.

use crate::{Connection, Result, row};
use sqlx::{
    AssertSqlSafe, Row as _,
    any::{Any, AnyArguments, AnyRow},
    query::Query,
};
use std::{collections::HashMap, hash::Hash};
use virga_model::{AppGuid, Timestamp, UserGuid};

/// A value of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// TEXT.
    Text(String),
    /// TEXT that may be NULL.
    OptText(Option<String>),
    /// BIGINT.
    Int(i64),
    /// BIGINT that may be NULL.
    OptInt(Option<i64>),
}

impl From<&str> for Bind {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Bind {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Bind {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Option<String>> for Bind {
    fn from(text: Option<String>) -> Self {
        Self::OptText(text)
    }
}

impl From<Option<i64>> for Bind {
    fn from(number: Option<i64>) -> Self {
        Self::OptInt(number)
    }
}

impl From<u32> for Bind {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Bind {
    fn from(value: bool) -> Self {
        Self::Int(row::truth(value))
    }
}

impl From<Timestamp> for Bind {
    fn from(time: Timestamp) -> Self {
        Self::Int(row::micros(time))
    }
}

impl From<Option<Timestamp>> for Bind {
    fn from(time: Option<Timestamp>) -> Self {
        Self::OptInt(time.map(row::micros))
    }
}

impl From<UserGuid> for Bind {
    fn from(guid: UserGuid) -> Self {
        Self::Text(guid.to_string())
    }
}

/// Whose eyes a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visible {
    /// An administrator's or auditor's: everything.
    All,
    /// A user's: what the user's roles show.
    To(UserGuid),
    /// Nobody's: a client without a user and without a global scope.
    Nothing,
}

/// A comparison of a time with one the caller wrote in whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFilter {
    /// Within one of these seconds.
    In(Vec<Timestamp>),
    /// Before this second.
    Before(Timestamp),
    /// Before or within this second.
    BeforeOrIn(Timestamp),
    /// After this second.
    After(Timestamp),
    /// After or within this second.
    AfterOrIn(Timestamp),
}

/// One requirement of a `label_selector`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelRequirement {
    /// `key`
    Exists(String),
    /// `!key`
    Absent(String),
    /// `key=value`, `key in (a,b)`
    In(String, Vec<String>),
    /// `key!=value`, `key notin (a,b)`; true as well where the key is absent.
    NotIn(String, Vec<String>),
}

/// What every list takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// From 1.
    pub page: u32,
    /// 1 to 5,000.
    pub per_page: u32,
    /// Column to order by, never a caller's text.
    pub order_by: &'static str,
    /// Greatest first.
    pub descending: bool,
    /// Only these.
    pub guids: Option<Vec<String>>,
    /// All must hold of `created_at`.
    pub created: Vec<TimeFilter>,
    /// All must hold of `updated_at`.
    pub updated: Vec<TimeFilter>,
    /// All must hold of the labels.
    pub labels: Vec<LabelRequirement>,
}

impl Listing {
    /// Everything on one page in the order of creation, for callers inside.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            page: 1,
            per_page: u32::MAX,
            order_by: "created_at",
            descending: false,
            guids: None,
            created: Vec::new(),
            updated: Vec::new(),
            labels: Vec::new(),
        }
    }
}

impl Default for Listing {
    fn default() -> Self {
        Self { per_page: 50, ..Self::everything() }
    }
}

/// Which apps something belongs to: what every list of such things filters by. Guids are texts, because what callers wrote may
/// be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfApps {
    /// To one of these apps.
    pub apps: Option<Vec<String>>,
    /// To apps in these spaces.
    pub spaces: Option<Vec<String>>,
    /// To apps in these organizations.
    pub organizations: Option<Vec<String>>,
}

impl OfApps {
    /// To one app.
    #[must_use]
    pub fn app(app: AppGuid) -> Self {
        Self { apps: Some(vec![app.to_string()]), ..Self::default() }
    }
}

/// Rows of one page, and how many there are on all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Of this page.
    pub rows: Vec<T>,
    /// Of all pages.
    pub total: u64,
}

/// How rows with a label are found: all with the label first, which is quick where they are few.
const LABELLED: &str = "t.guid IN (SELECT resource_guid FROM resource_labels WHERE ";
/// The same, asked of row after row until a page is full, which is quick where they are many.
const LABELLED_EACH: &str = "EXISTS (SELECT 1 FROM resource_labels WHERE resource_guid = t.guid AND ";
/// More rows than this are many.
const MANY: u64 = 1_000;

/// A query under assembly. The table that is listed must carry the alias `t`. SQL handed in is always this program's own
/// text with `?` for each value; what callers wrote goes in as [`Bind`]s only.
#[derive(Debug, Clone)]
pub struct Select {
    columns: &'static str,
    from: &'static str,
    conditions: String,
    binds: Vec<Bind>,
}

impl Select {
    /// `SELECT columns FROM from`, for example `Select::new("t.*", "apps t")`.
    #[must_use]
    pub fn new(columns: &'static str, from: &'static str) -> Self {
        Self { columns, from, conditions: String::new(), binds: Vec::new() }
    }

    /// Adds a condition; `?` stands for the next of `binds`.
    pub fn and(&mut self, condition: &str, binds: impl IntoIterator<Item = Bind>) -> &mut Self {
        self.conditions.push_str(if self.conditions.is_empty() { " WHERE (" } else { " AND (" });
        let mut number = self.binds.len();
        for character in condition.chars() {
            if character == '?' {
                number += 1;
                self.conditions.push('$');
                self.conditions.push_str(&number.to_string());
            } else {
                self.conditions.push(character);
            }
        }
        self.conditions.push(')');
        self.binds.extend(binds);
        debug_assert_eq!(self.binds.len(), number, "a value for each placeholder of {condition}");
        self
    }

    /// Adds `expression IN (values)`; no values match nothing. `expression` may end in an open sub-select, such as
    /// `t.guid IN (SELECT route_guid FROM route_destinations WHERE app_guid`, with `close` as its `)`.
    pub fn and_in<V: Into<Bind> + Clone>(&mut self, expression: &str, values: &[V], close: &str) -> &mut Self {
        if values.is_empty() {
            return self.and("1 = 0", []);
        }
        let condition = format!("{expression} IN ({}){close}", marks(values.len()));
        self.and(&condition, values.iter().cloned().map(Into::into))
    }

    /// Adds a condition in which each `{}` stands for the same list of values; no values match nothing.
    pub(crate) fn and_everywhere(&mut self, condition: &str, values: &[String]) -> &mut Self {
        if values.is_empty() {
            return self.and("1 = 0", []);
        }
        let times = condition.matches("{}").count();
        let binds = std::iter::repeat_n(values, times).flatten().map(|value| Bind::from(value.as_str()));
        self.and(&condition.replace("{}", &marks(values.len())), binds)
    }

    /// [`Select::and_in`] where the filter was given.
    pub fn and_in_if<V: Into<Bind> + Clone>(&mut self, column: &str, values: Option<&[V]>) -> &mut Self {
        match values {
            Some(values) => self.and_in(column, values, ""),
            None => self,
        }
    }

    /// Only what belongs to these apps and is seen by the caller. The table has a column `app_guid`; its app is the alias `a`.
    pub fn and_of_apps(&mut self, of: &OfApps, visible: Visible) -> &mut Self {
        self.and_in_if("t.app_guid", of.apps.as_deref())
            .and_in_if("a.space_guid", of.spaces.as_deref())
            .and_space_visible("a.space_guid", visible)
            .and_in_organizations_if("a.space_guid", of.organizations.as_deref())
    }

    /// Only rows whose space (the guid in `column`) is in one of these organizations, where the filter was given.
    pub fn and_in_organizations_if(&mut self, column: &str, organizations: Option<&[String]>) -> &mut Self {
        match organizations {
            Some(organizations) => {
                self.and_in(&format!("{column} IN (SELECT guid FROM spaces WHERE organization_guid"), organizations, ")")
            }
            None => self,
        }
    }

    /// Only rows whose space (the guid in `column`) the caller may see: any space role, or manager of its organization.
    pub fn and_space_visible(&mut self, column: &str, visible: Visible) -> &mut Self {
        let condition = format!(
            "{column} IN (SELECT space_guid FROM roles WHERE user_guid = ? AND space_guid IS NOT NULL \
             UNION SELECT s.guid FROM roles r JOIN spaces s ON s.organization_guid = r.organization_guid \
             WHERE r.user_guid = ? AND r.type = 'organization_manager')"
        );
        self.and_visible(&condition, visible, 2)
    }

    /// Only rows whose organization (the guid in `column`) the caller has any role in.
    pub fn and_organization_visible(&mut self, column: &str, visible: Visible) -> &mut Self {
        let condition = format!(
            "{column} IN (SELECT organization_guid FROM roles WHERE user_guid = ? AND organization_guid IS NOT NULL \
             UNION SELECT s.organization_guid FROM roles r JOIN spaces s ON s.guid = r.space_guid WHERE r.user_guid = ?)"
        );
        self.and_visible(&condition, visible, 2)
    }

    /// Only rows that come after this one in the order of creation.
    pub fn and_after(&mut self, created_at: Timestamp, guid: &str) -> &mut Self {
        let binds = [created_at.into(), created_at.into(), guid.into()];
        // Written so that an index on both begins at the first of them.
        self.and("t.created_at >= ? AND (t.created_at > ? OR t.guid > ?)", binds)
    }

    /// A condition of the caller's roles, with the user's guid `times` times.
    pub fn and_visible(&mut self, condition: &str, visible: Visible, times: usize) -> &mut Self {
        match visible {
            Visible::All => self,
            Visible::To(user) => self.and(condition, std::iter::repeat_n(Bind::from(user), times)),
            Visible::Nothing => self.and("1 = 0", []),
        }
    }

    /// What every list takes, except order and page, which [`Select::page`] applies.
    pub fn and_listing(&mut self, listing: &Listing) -> &mut Self {
        self.and_in_if("t.guid", listing.guids.as_deref());
        for filter in &listing.created {
            self.and_time("t.created_at", filter);
        }
        for filter in &listing.updated {
            self.and_time("t.updated_at", filter);
        }
        for requirement in &listing.labels {
            self.and_label(requirement);
        }
        self
    }

    fn and_time(&mut self, column: &str, filter: &TimeFilter) {
        const SECOND: i64 = 1_000_000;
        match filter {
            TimeFilter::In(times) => {
                let ranges = vec![format!("({column} >= ? AND {column} < ?)"); times.len()].join(" OR ");
                let binds = times.iter().flat_map(|time| [Bind::Int(row::micros(*time)), Bind::Int(row::micros(*time) + SECOND)]);
                let ranges = if ranges.is_empty() { "1 = 0" } else { &ranges };
                self.and(ranges, binds)
            }
            TimeFilter::Before(time) => self.and(&format!("{column} < ?"), [row::micros(*time).into()]),
            TimeFilter::BeforeOrIn(time) => self.and(&format!("{column} < ?"), [(row::micros(*time) + SECOND).into()]),
            TimeFilter::After(time) => self.and(&format!("{column} >= ?"), [(row::micros(*time) + SECOND).into()]),
            TimeFilter::AfterOrIn(time) => self.and(&format!("{column} >= ?"), [row::micros(*time).into()]),
        };
    }

    fn and_label(&mut self, requirement: &LabelRequirement) {
        const WITH_KEY: &str = "(SELECT resource_guid FROM resource_labels WHERE key = ?";
        let with_value = |key: &String, values: &[String]| {
            let sql = format!("{WITH_KEY} AND value IN ({}))", marks(values.len()));
            (sql, std::iter::once(key).chain(values).map(|text| Bind::from(text.as_str())).collect::<Vec<_>>())
        };
        match requirement {
            LabelRequirement::Exists(key) => self.and(&format!("t.guid IN {WITH_KEY})"), [key.as_str().into()]),
            LabelRequirement::Absent(key) => self.and(&format!("t.guid NOT IN {WITH_KEY})"), [key.as_str().into()]),
            LabelRequirement::In(key, values) => {
                let (sql, binds) = with_value(key, values);
                self.and(&format!("t.guid IN {sql}"), binds)
            }
            LabelRequirement::NotIn(key, values) => {
                let (sql, binds) = with_value(key, values);
                self.and(&format!("t.guid NOT IN {sql}"), binds)
            }
        };
    }

    /// The rows of the listing's page in its order, and the total; `read` is the row struct's `from_row`.
    ///
    /// # Errors
    /// Those of the database and of `read`.
    pub async fn page<T>(&self, db: &mut Connection, listing: &Listing, read: fn(&AnyRow) -> Result<T>) -> Result<Page<T>> {
        let per_page = u64::from(listing.per_page);
        let offset = u64::from(listing.page.saturating_sub(1)).saturating_mul(per_page);
        let counted = if offset > 0 || !listing.labels.is_empty() { Some(self.count(db).await?) } else { None };
        let rows = self.rows(db, listing, offset, counted).await?.iter().map(read).collect::<Result<Vec<T>>>()?;
        // A first page that is not full tells the total by itself.
        let found = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let total = match counted {
            Some(total) => total,
            None if found < per_page => found,
            None => self.count(db).await?,
        };
        Ok(Page { rows, total })
    }

    /// Rows of a page. Of a later page the guids are looked for first, in an index alone, and from whichever end is nearer:
    /// rows that are only stepped over are not read.
    async fn rows(&self, db: &mut Connection, listing: &Listing, offset: u64, total: Option<u64>) -> Result<Vec<AnyRow>> {
        let Self { columns, from, .. } = self;
        let wanted = total.map_or(u64::MAX, |total| total.saturating_sub(offset)).min(listing.per_page.into());
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let behind = total.map_or(u64::MAX, |total| total.saturating_sub(offset.saturating_add(wanted)));
        let conditions = match total {
            Some(total) if total > MANY => self.conditions.replace(LABELLED, LABELLED_EACH),
            _ => self.conditions.clone(),
        };
        let order = |descending: bool| {
            let direction = if descending { "DESC" } else { "ASC" };
            format!("ORDER BY t.{} {direction}, t.guid {direction}", listing.order_by)
        };
        let first = self.binds.len() + 1;
        let limit = format!("LIMIT ${first} OFFSET ${}", first + 1);
        let (shown, found) = (order(listing.descending), order(listing.descending != (behind < offset)));
        let sql = match offset {
            0 => format!("SELECT {columns} FROM {from}{conditions} {shown} {limit}"),
            _ => format!("SELECT {columns} FROM {from} WHERE t.guid IN (SELECT t.guid FROM {from}{conditions} {found} {limit}) {shown}"),
        };
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Ok(self.bound(sql).bind(number(wanted)).bind(number(if offset > 0 { behind.min(offset) } else { 0 })).fetch_all(db).await?)
    }

    /// All rows, ordered by this program's own `order`.
    ///
    /// # Errors
    /// Those of the database and of `read`.
    pub async fn all<T>(&self, db: &mut Connection, order: &'static str, read: fn(&AnyRow) -> Result<T>) -> Result<Vec<T>> {
        let sql = format!("SELECT {} FROM {}{} ORDER BY {order}", self.columns, self.from, self.conditions);
        self.bound(sql).fetch_all(db).await?.iter().map(read).collect()
    }

    /// All rows as pairs, gathered by the first of each, in this program's own `order`.
    ///
    /// # Errors
    /// Those of the database and of `read`.
    pub async fn grouped<K: Eq + Hash, V>(
        &self,
        db: &mut Connection,
        order: &'static str,
        read: fn(&AnyRow) -> Result<(K, V)>,
    ) -> Result<HashMap<K, Vec<V>>> {
        let mut groups: HashMap<K, Vec<V>> = HashMap::new();
        for (key, value) in self.all(db, order, read).await? {
            groups.entry(key).or_default().push(value);
        }
        Ok(groups)
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn count(&self, db: &mut Connection) -> Result<u64> {
        let sql = format!("SELECT COUNT(*) AS total FROM {}{}", self.from, self.conditions);
        let total: i64 = self.bound(sql).fetch_one(db).await?.try_get("total")?;
        Ok(u64::try_from(total).unwrap_or(0))
    }

    fn bound(&self, sql: String) -> Query<'static, Any, AnyArguments> {
        let query = sqlx::query(AssertSqlSafe(sql));
        self.binds.iter().cloned().fold(query, bind)
    }
}

/// Binds the next value of a query.
pub(crate) fn bind(query: Query<'static, Any, AnyArguments>, value: Bind) -> Query<'static, Any, AnyArguments> {
    match value {
        Bind::Text(text) => query.bind(text),
        Bind::OptText(text) => query.bind(text),
        Bind::Int(number) => query.bind(number),
        Bind::OptInt(number) => query.bind(number),
    }
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        metadata::Metadata,
        testing,
        users::{self, UserFilter, UserRow},
    };
    use std::collections::BTreeMap;

    /// Of every page what it must be, whether it is looked for from the front or the back, by few rows or by many.
    #[tokio::test]
    async fn every_page_is_the_same_piece_of_the_whole() {
        testing::on_both(|store| async move {
            let mut tx = store.begin().await.unwrap();
            let rows: u32 = 1_205;
            for number in 0..rows {
                // Three at a time, so that guids decide.
                let made = Timestamp::from_second(i64::from(number / 3)).unwrap();
                let labels = match number % 600 {
                    0 => [("rare", "yes"), ("frequent", "yes")].as_slice(),
                    _ => &[("frequent", "yes")],
                };
                let labels: BTreeMap<String, String> = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
                let metadata = Metadata { labels, ..Metadata::default() };
                let row = UserRow {
                    guid: UserGuid::random(),
                    created_at: made,
                    updated_at: made,
                    username: None,
                    origin: None,
                    client_id: None,
                    metadata,
                };
                users::insert(&mut tx, &row).await.unwrap();
            }
            tx.commit().await.unwrap();
            let mut db = store.read().await.unwrap();
            for (label, expected) in [(None, rows), (Some("frequent"), rows), (Some("rare"), 3)] {
                for descending in [false, true] {
                    let labels: Vec<_> = label.iter().map(|key| LabelRequirement::In((*key).to_owned(), vec!["yes".to_owned()])).collect();
                    let whole = Listing { descending, labels, ..Listing::everything() };
                    let all = users::list(&mut db, &UserFilter::default(), Visible::All, &whole).await.unwrap();
                    assert_eq!((all.total, all.rows.len()), (expected.into(), expected as usize));
                    for per_page in [2, 100] {
                        for page in [1, 2, 3, 6, 7, 12, 13, 14] {
                            let listing = Listing { page, per_page, ..whole.clone() };
                            let got = users::list(&mut db, &UserFilter::default(), Visible::All, &listing).await.unwrap();
                            let piece: Vec<_> =
                                all.rows.iter().skip(((page - 1) * per_page) as usize).take(per_page as usize).cloned().collect();
                            assert_eq!((got.total, got.rows), (expected.into(), piece), "{label:?} {descending} page {page} of {per_page}");
                        }
                    }
                }
            }
        })
        .await;
    }
}
