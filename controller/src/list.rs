//! What every list endpoint shares: its parameters, its page, its links.
//!
//! A handler takes [`ListRequest`], parses it with the constant [`ListSpec`] of its resource, gives [`ListQuery::listing`]
//! and its filters to the store, and turns the page into JSON with [`ListQuery::render`].

use crate::{Result, label_selector};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use url::form_urlencoded;
use virga_contract::{ApiError, ErrorCode};
use virga_model::{AppGuid, time::parse_api_time};
use virga_serve::{
    Base,
    axum::extract::{FromRequestParts, OriginalUri},
};
use virga_store::select::{Listing, OfApps, Page, TimeFilter};

/// Most resources of a page.
pub(crate) const MAX_PER_PAGE: u32 = 5000;

/// Columns that every list can be ordered by.
const BY_TIME: &[&str] = &["created_at", "updated_at"];

/// What a list takes besides `page per_page order_by guids created_ats updated_ats label_selector`.
#[derive(Debug, Clone, Copy)]
pub struct ListSpec {
    pub(crate) filters: &'static [&'static str],
    order_by: &'static [&'static str],
    pub(crate) includes: &'static [&'static str],
    pub(crate) embeds: &'static [&'static str],
    pub(crate) labels: bool,
    default_order: &'static str,
}

impl ListSpec {
    /// A list with these filters.
    #[must_use]
    pub const fn new(filters: &'static [&'static str]) -> Self {
        Self { filters, order_by: &[], includes: &[], embeds: &[], labels: true, default_order: "created_at" }
    }

    /// Columns to order by besides `created_at` and `updated_at`.
    #[must_use]
    pub const fn order_by(mut self, columns: &'static [&'static str]) -> Self {
        self.order_by = columns;
        self
    }

    /// The order when none is asked for.
    #[must_use]
    pub const fn default_order(mut self, column: &'static str) -> Self {
        self.default_order = column;
        self
    }

    /// Values of `include`.
    #[must_use]
    pub const fn includes(mut self, includes: &'static [&'static str]) -> Self {
        self.includes = includes;
        self
    }

    /// Values of `embed`.
    #[must_use]
    pub const fn embeds(mut self, embeds: &'static [&'static str]) -> Self {
        self.embeds = embeds;
        self
    }

    /// Without `label_selector`.
    #[must_use]
    pub const fn without_labels(mut self) -> Self {
        self.labels = false;
        self
    }

    /// Columns to order by.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'static str> + use<> {
        let known = BY_TIME.contains(&self.default_order) || self.order_by.contains(&self.default_order);
        let default = Some(self.default_order).filter(|_| !known);
        BY_TIME.iter().chain(self.order_by).copied().chain(default)
    }

    fn parameters(&self) -> Vec<&'static str> {
        let mut names = vec!["page", "per_page", "order_by", "guids", "created_ats", "updated_ats"];
        names.extend(self.labels.then_some("label_selector"));
        names.extend((!self.includes.is_empty()).then_some("include"));
        names.extend((!self.embeds.is_empty()).then_some("embed"));
        names.extend(self.filters);
        names
    }
}

/// The request of a list, not yet looked at; an extractor.
#[derive(Debug, Clone)]
pub struct ListRequest {
    /// Bases of links.
    pub base: Base,
    path: String,
    query: String,
    probe: Option<Probe>,
}

/// An extension of a request that only asks which [`ListSpec`] its handler parses with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe(Arc<Mutex<Option<ListSpec>>>);

impl Probe {
    /// What the handler was going to parse with.
    pub(crate) fn seen(&self) -> Option<ListSpec> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, spec: &ListSpec) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(*spec);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ListRequest {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, Self::Rejection> {
        let base = Base::from_request_parts(parts, state).await?;
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, state).await?;
        let path = uri.path().trim_end_matches('/').to_owned();
        let probe = parts.extensions.get::<Probe>().cloned();
        Ok(Self { base, path, query: uri.query().unwrap_or_default().to_owned(), probe })
    }
}

/// The parameters of a list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Order, page and what every list filters by.
    pub listing: Listing,
    /// Bases of links.
    pub base: Base,
    path: String,
    filters: BTreeMap<&'static str, Vec<String>>,
    includes: Vec<String>,
    embeds: Vec<String>,
    /// All but `page` and `per_page`, decoded once, for the links.
    kept: Vec<(String, String)>,
}

impl ListRequest {
    /// The parameters, by the rules of `spec`.
    ///
    /// # Errors
    /// 400 `BadQueryParameter` that says what is wrong.
    pub fn parse(self, spec: &ListSpec) -> Result<ListQuery> {
        if let Some(probe) = &self.probe {
            probe.show(spec);
            return Err(bad("this request only asks for the parameters").into());
        }
        let mut query = ListQuery {
            listing: Listing { order_by: spec.default_order, ..Listing::default() },
            base: self.base,
            path: self.path,
            filters: BTreeMap::new(),
            includes: Vec::new(),
            embeds: Vec::new(),
            kept: Vec::new(),
        };
        let mut unknown = Vec::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            if !query.take(spec, &name, &value)? {
                unknown.push(format!("'{name}'"));
            }
            if name != "page" && name != "per_page" {
                query.kept.push((name.into_owned(), value.into_owned()));
            }
        }
        if !unknown.is_empty() {
            let valid: Vec<String> = spec.parameters().iter().map(|name| format!("'{name}'")).collect();
            let detail = format!("Unknown query parameter(s): {}. Valid parameters are: {}", unknown.join(", "), valid.join(", "));
            return Err(bad(detail).into());
        }
        Ok(query)
    }
}

fn bad(detail: impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::BadQueryParameter, format!("The query parameter is invalid: {detail}"))
}

/// The items of a value that was decoded once: split at commas, then decoded, so that an item may hold `%2C`.
fn items(value: &str) -> Vec<String> {
    value.split(',').map(|item| percent_decode_str(item).decode_utf8_lossy().into_owned()).collect()
}

impl ListQuery {
    fn take(&mut self, spec: &ListSpec, name: &str, value: &str) -> Result<bool> {
        match name {
            "page" => {
                let page = value.parse().ok().filter(|page| *page > 0);
                self.listing.page = page.ok_or_else(|| bad("Page must be a positive integer"))?;
            }
            "per_page" => {
                let per_page = value.parse().ok().filter(|per_page| (1..=MAX_PER_PAGE).contains(per_page));
                self.listing.per_page = per_page.ok_or_else(|| bad(format!("Per page must be between 1 and {MAX_PER_PAGE}")))?;
            }
            "order_by" => self.take_order(spec, value)?,
            "guids" => self.listing.guids = Some(items(value)),
            "label_selector" if spec.labels => self.listing.labels = label_selector::parse(value).map_err(bad)?,
            "include" if !spec.includes.is_empty() => self.includes = known(items(value), spec.includes, "included")?,
            "embed" if !spec.embeds.is_empty() => self.embeds = known(items(value), spec.embeds, "embedded")?,
            _ if name.starts_with("created_ats") => match time_filter(name, value)? {
                Some(filter) => self.listing.created.push(filter),
                None => return Ok(false),
            },
            _ if name.starts_with("updated_ats") => match time_filter(name, value)? {
                Some(filter) => self.listing.updated.push(filter),
                None => return Ok(false),
            },
            _ => match spec.filters.iter().find(|filter| **filter == name) {
                Some(filter) => drop(self.filters.insert(filter, items(value))),
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn take_order(&mut self, spec: &ListSpec, value: &str) -> Result<()> {
        let (descending, column) = match value.strip_prefix('-') {
            Some(column) => (true, column),
            None => (false, value.strip_prefix(['+', ' ']).unwrap_or(value)),
        };
        let column = spec.columns().find(|known| *known == column);
        self.listing.order_by = column.ok_or_else(|| {
            let known: Vec<String> = spec.columns().map(|known| format!("'{known}'")).collect();
            bad(format!("Order by can only be: {}", known.join(", ")))
        })?;
        self.listing.descending = descending;
        Ok(())
    }

    /// The values of a filter of the spec, where it was given.
    #[must_use]
    pub fn values(&self, filter: &str) -> Option<Vec<String>> {
        self.filters.get(filter).cloned()
    }

    /// `app_guids`, `space_guids` and `organization_guids`, as far as the spec has them.
    #[must_use]
    pub fn of_apps(&self) -> OfApps {
        OfApps { apps: self.values("app_guids"), spaces: self.values("space_guids"), organizations: self.values("organization_guids") }
    }

    /// The same for the list of one app.
    #[must_use]
    pub fn of_app(&self, app: AppGuid) -> OfApps {
        OfApps { apps: Some(vec![app.to_string()]), ..self.of_apps() }
    }

    /// Whether `include` names this.
    #[must_use]
    pub fn includes(&self, what: &str) -> bool {
        self.includes.iter().any(|included| included == what)
    }

    /// Whether `embed` names this.
    #[must_use]
    pub fn embeds(&self, what: &str) -> bool {
        self.embeds.iter().any(|embedded| embedded == what)
    }

    /// The page as JSON.
    pub fn render<T>(&self, page: &Page<T>, view: impl FnMut(&T) -> Value) -> Value {
        self.paginated(page.total, page.rows.iter().map(view).collect())
    }

    /// Views of one page as JSON, with how many there are on all.
    #[must_use]
    pub fn paginated(&self, total: u64, resources: Vec<Value>) -> Value {
        let pages = total.div_ceil(u64::from(self.listing.per_page)).max(1);
        let page = u64::from(self.listing.page);
        json!({
            "pagination": {
                "total_results": total,
                "total_pages": pages,
                "first": self.href(1),
                "last": self.href(pages),
                "next": if page < pages { self.href(page + 1) } else { Value::Null },
                "previous": if page > 1 { self.href(page - 1) } else { Value::Null },
            },
            "resources": resources,
        })
    }

    /// All of a list that is held in memory, cut to the page that was asked for.
    #[must_use]
    pub fn slice(&self, resources: Vec<Value>) -> Value {
        let total = resources.len() as u64;
        let per_page = self.listing.per_page as usize;
        let skipped = (self.listing.page as usize).saturating_sub(1).saturating_mul(per_page);
        self.paginated(total, resources.into_iter().skip(skipped).take(per_page).collect())
    }

    fn href(&self, page: u64) -> Value {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.kept);
        query.append_pair("page", &page.to_string()).append_pair("per_page", &self.listing.per_page.to_string());
        json!({ "href": format!("{}{}?{}", self.base.api, self.path, query.finish()) })
    }
}

/// What the `include` of a single resource asks for.
///
/// # Errors
/// 400 for what cannot be included.
pub(crate) fn asked_for<'a>(include: Option<&'a str>, valid: &[&str]) -> Result<Vec<&'a str>> {
    let asked: Vec<&str> = include.iter().flat_map(|include| include.split(',')).collect();
    known(asked.iter().map(|item| (*item).to_owned()).collect(), valid, "included")?;
    Ok(asked)
}

/// Adds `included.<kind>` to a page or a single resource.
pub fn include(body: &mut Value, kind: &str, resources: Vec<Value>) {
    if let Value::Object(body) = body {
        let included = body.entry("included").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(included) = included {
            included.insert(kind.to_owned(), Value::Array(resources));
        }
    }
}

fn known(asked: Vec<String>, valid: &[&str], word: &str) -> Result<Vec<String>> {
    match asked.iter().find(|item| !valid.contains(&item.as_str())) {
        None => Ok(asked),
        Some(item) => {
            let valid: Vec<String> = valid.iter().map(|item| format!("'{item}'")).collect();
            Err(bad(format!("Invalid {word} resource: '{item}'. Valid {word} resources are: {}", valid.join(", "))).into())
        }
    }
}

fn time_filter(name: &str, value: &str) -> Result<Option<TimeFilter>> {
    let operator = name.get("created_ats".len()..).unwrap_or_default();
    let what = if name.starts_with("created") { "Created ats" } else { "Updated ats" };
    let parse = |text: &str| {
        parse_api_time(text)
            .ok_or_else(|| bad(format!("{what} has an invalid timestamp format. Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'")))
    };
    Ok(Some(match operator {
        "" => TimeFilter::In(items(value).iter().map(|item| parse(item)).collect::<Result<_, _>>()?),
        "[lt]" => TimeFilter::Before(parse(value)?),
        "[lte]" => TimeFilter::BeforeOrIn(parse(value)?),
        "[gt]" => TimeFilter::After(parse(value)?),
        "[gte]" => TimeFilter::AfterOrIn(parse(value)?),
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: ListSpec = ListSpec::new(&["names", "hosts"]).order_by(&["name"]).includes(&["space"]);

    fn parse(query: &str) -> Result<ListQuery> {
        ListRequest { base: Base::bare("http://x"), path: "/v3/things".into(), query: query.into(), probe: None }.parse(&SPEC)
    }

    fn refusal(query: &str) -> String {
        parse(query).unwrap_err().to_string()
    }

    #[test]
    fn values_are_decoded_split_and_decoded_again() {
        let query = parse("names=a%252Cb,c+d&hosts=").unwrap();
        assert_eq!(query.values("names").unwrap(), ["a,b", "c d"]);
        assert_eq!(query.values("hosts").unwrap(), [""], "an empty filter is a filter");
        assert_eq!(parse("").unwrap().values("names"), None);
    }

    #[test]
    fn links_keep_filters_and_count_pages() {
        let query = parse("names=a%252Cb&order_by=-name&page=2&per_page=2").unwrap();
        assert!(query.listing.descending && query.listing.order_by == "name");
        let page = query.paginated(5, vec![]);
        assert_eq!(page["pagination"]["total_pages"], 3);
        assert_eq!(page["pagination"]["next"]["href"], "http://x/v3/things?names=a%252Cb&order_by=-name&page=3&per_page=2");
        assert_eq!(page["pagination"]["previous"]["href"], "http://x/v3/things?names=a%252Cb&order_by=-name&page=1&per_page=2");
        assert_eq!(parse("").unwrap().paginated(0, vec![])["pagination"]["total_pages"], 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refusal("nmaes=x").contains("Unknown query parameter(s): 'nmaes'. Valid parameters are: 'page', "));
        assert!(refusal("page=0").contains("Page must be a positive integer"));
        assert!(refusal("per_page=5001").contains("Per page must be between 1 and 5000"));
        assert!(refusal("order_by=guid").contains("Order by can only be: 'created_at', 'updated_at', 'name'"));
        assert!(refusal("include=org").contains("Invalid included resource: 'org'"));
        assert!(refusal("created_ats[lt]=yesterday").contains("invalid timestamp"));
        assert!(refusal("created_ats[around]=2026-01-01T00:00:00Z").contains("Unknown query parameter"));
    }
}
