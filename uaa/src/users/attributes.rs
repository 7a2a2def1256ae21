//! What of a user can be filtered and sorted by.

use crate::scim::filter::Attributes;
use virga_store::uaa::scim::{Column, Kind};

const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

const fn time(name: &'static str) -> Column {
    Column { name, kind: Kind::Time }
}

const fn flag(name: &'static str) -> Column {
    Column { name, kind: Kind::Flag }
}

const USERNAME: Column = Column { name: "username_key", kind: Kind::LowerText };

/// See the module.
pub(crate) const ATTRIBUTES: Attributes = &[
    ("id", text("guid")),
    ("username", USERNAME),
    ("origin", text("origin")),
    ("externalid", text("external_id")),
    ("emails.value", text("email")),
    ("email", text("email")),
    ("emails", text("email")),
    ("name.givenname", text("given_name")),
    ("givenname", text("given_name")),
    ("name.familyname", text("family_name")),
    ("familyname", text("family_name")),
    ("phonenumbers.value", text("phone")),
    ("phonenumbers", text("phone")),
    ("active", flag("active")),
    ("verified", flag("verified")),
    ("created", time("created_at")),
    ("meta.created", time("created_at")),
    ("lastmodified", time("updated_at")),
    ("meta.lastmodified", time("updated_at")),
    ("passwordlastmodified", time("password_changed_at")),
    ("lastlogontime", time("last_login_at")),
    ("previouslogontime", time("previous_login_at")),
    ("version", Column { name: "version", kind: Kind::Number }),
    ("meta.version", Column { name: "version", kind: Kind::Number }),
];

/// What `/ids/Users` takes: nothing by which more than names could be found out.
pub(super) const OF_IDS: Attributes = &[("id", text("guid")), ("username", USERNAME), ("origin", text("origin"))];
