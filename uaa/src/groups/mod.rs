//! SCIM groups. A group's name is a scope: its members may be granted it.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod find;
pub(crate) mod members;
mod view;

use crate::{
    refusal::Result,
    scim::{self, filter::Attributes},
};
use serde::Deserialize;
use virga_model::{UaaGroupGuid, UserGuid};
use virga_store::{
    Connection,
    uaa::{
        groups::{self, UaaGroupRow},
        scim::{Column, Kind},
        users,
    },
};

/// Longest name and description, bytes; most members in one request.
const MAX_NAME_BYTES: usize = 255;
const MAX_DESCRIPTION_BYTES: usize = 2_000;
const MAX_MEMBERS: usize = 1_000;

const ATTRIBUTES: Attributes = &[
    ("id", Column { name: "guid", kind: Kind::Text }),
    ("displayname", Column { name: "name_key", kind: Kind::LowerText }),
    ("description", Column { name: "description", kind: Kind::Text }),
    ("created", Column { name: "created_at", kind: Kind::Time }),
    ("meta.created", Column { name: "created_at", kind: Kind::Time }),
    ("lastmodified", Column { name: "updated_at", kind: Kind::Time }),
    ("meta.lastmodified", Column { name: "updated_at", kind: Kind::Time }),
    ("version", Column { name: "version", kind: Kind::Number }),
    ("meta.version", Column { name: "version", kind: Kind::Number }),
];

/// What a client may say about a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GroupBody {
    display_name: Option<String>,
    description: Option<String>,
    members: Option<Vec<MemberBody>>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    attributes: Vec<String>,
}

/// A member of a group.
#[derive(Debug, Deserialize)]
pub(crate) struct MemberBody {
    value: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// `delete` takes the member out, in a PATCH.
    #[serde(default)]
    operation: Option<String>,
}

/// The group whose id stands in a path.
async fn group_of(db: &mut Connection, id: &str) -> Result<UaaGroupRow> {
    let group = match id.parse::<UaaGroupGuid>() {
        Ok(guid) => groups::find(db, guid).await?,
        Err(_) => None,
    };
    group.ok_or_else(|| scim::not_found(format!("Group {id} does not exist")))
}

fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(scim::invalid("A displayName must be provided."));
    }
    if name.len() > MAX_NAME_BYTES || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(scim::invalid("The displayName is too long or has spaces or control characters in it."));
    }
    Ok(())
}

fn check_description(description: &str) -> Result<()> {
    if description.len() > MAX_DESCRIPTION_BYTES || description.chars().any(char::is_control) {
        return Err(scim::invalid("The description is too long or has control characters in it."));
    }
    Ok(())
}

/// The user a member is; groups in groups are refused.
async fn user_of_member(db: &mut Connection, member: &MemberBody) -> Result<UserGuid> {
    if member.kind.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("USER")) {
        return Err(scim::invalid("Only members of type USER are supported"));
    }
    let guid: UserGuid = member.value.parse().map_err(|_| scim::invalid(format!("User {} does not exist", member.value)))?;
    match users::find(db, guid).await? {
        Some(_) => Ok(guid),
        None => Err(scim::invalid(format!("User {guid} does not exist"))),
    }
}

fn check_count(members: &[MemberBody]) -> Result<()> {
    if members.len() > MAX_MEMBERS {
        return Err(scim::invalid(format!("A request holds at most {MAX_MEMBERS} members")));
    }
    Ok(())
}
