//! Pages of a list: `filter`, `sortBy`, `sortOrder`, `startIndex`, `count`, `attributes`.

use super::{SCHEMA, filter};
use crate::refusal::{Refusal, Result};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use virga_store::uaa::scim::{Filter, Listing};

/// Resources of one page at most, and without `count`.
const MAX_COUNT: u32 = 500;
const DEFAULT_COUNT: u32 = 100;
/// Attributes that may be asked for.
const MAX_ATTRIBUTES: usize = 50;

/// The query of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListQuery {
    pub(crate) filter: Option<String>,
    /// From 1.
    start_index: Option<u32>,
    count: Option<u32>,
    attributes: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
}

impl ListQuery {
    fn start(&self) -> u32 {
        self.start_index.unwrap_or(1).max(1)
    }

    fn count(&self) -> u32 {
        self.count.unwrap_or(DEFAULT_COUNT).min(MAX_COUNT)
    }

    /// What is asked of the database; in the order of the first attribute unless another is asked for.
    pub(crate) fn listing(&self, attributes: filter::Attributes, default_order: &str) -> Result<Listing> {
        let filter = match self.filter.as_deref().filter(|filter| !filter.trim().is_empty()) {
            Some(text) => filter::parse(text, attributes)?,
            None => Filter::Everything,
        };
        let order_by = self.sort_by.as_deref().filter(|name| !name.is_empty()).unwrap_or(default_order);
        let descending = match self.sort_order.as_deref().unwrap_or("ascending").to_ascii_lowercase().as_str() {
            "ascending" | "asc" | "" => false,
            "descending" | "desc" => true,
            _ => return Err(Refusal::invalid_request("sortOrder must be ascending or descending")),
        };
        let order_by = filter::column(order_by, attributes)?;
        Ok(Listing { filter, order_by, descending, skip: self.start() - 1, limit: self.count() })
    }

    /// The answer; each resource cut to the attributes that were asked for.
    pub(crate) fn answer(&self, resources: Vec<Value>, total: u64) -> Value {
        let wanted: Vec<&str> = self.attributes.as_deref().unwrap_or_default().split(',').map(str::trim).collect();
        let wanted: Vec<&str> = wanted.into_iter().filter(|name| !name.is_empty()).take(MAX_ATTRIBUTES).collect();
        let resources: Vec<Value> = match wanted.as_slice() {
            [] => resources,
            wanted => resources.iter().map(|resource| cut(resource, wanted)).collect(),
        };
        json!({
            "resources": resources,
            "startIndex": self.start(),
            "itemsPerPage": self.count(),
            "totalResults": total,
            "schemas": [SCHEMA],
        })
    }
}

fn cut(resource: &Value, wanted: &[&str]) -> Value {
    let members: Map<String, Value> = wanted.iter().filter_map(|path| Some(((*path).to_owned(), at(resource, path)?))).collect();
    Value::Object(members)
}

/// The value at a dotted path; through a list, the list of what its elements have there.
fn at(value: &Value, path: &str) -> Option<Value> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    if let Value::Array(elements) = value {
        return Some(elements.iter().filter_map(|element| at(element, path)).collect());
    }
    let member = value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, member)| member)?;
    rest.map_or_else(|| Some(member.clone()), |rest| at(member, rest))
}
