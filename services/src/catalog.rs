//! What is offered, and what the plans allow. Ids never change: instances are kept by them.

use crate::servers::Servers;
use serde_json::{Value, json};

/// What kind of data an instance holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    KeyValue,
    Sqlite,
    Config,
    /// On servers of the operator.
    Postgres,
    Redis,
}

/// An offering.
#[derive(Debug)]
pub(crate) struct Offering {
    pub id: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    description: &'static str,
    tags: &'static [&'static str],
    plans: &'static [Plan],
}

/// A plan of an offering.
#[derive(Debug)]
pub(crate) struct Plan {
    pub id: &'static str,
    name: &'static str,
    description: &'static str,
    /// The most bytes an instance holds: keys and values, pages of the database file, names and values of a configuration.
    pub bytes: u64,
    /// The most keys, where the offering has keys.
    pub keys: u64,
}

const MIB: u64 = 1 << 20;

const OFFERINGS: &[Offering] = &[
    Offering {
        id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a01",
        name: "keyvalue",
        kind: Kind::KeyValue,
        description: "Durable keys and values, reached by HTTP without a credential",
        tags: &["keyvalue"],
        plans: &[
            Plan {
                id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a11",
                name: "small",
                description: "16 MiB in at most 10,000 keys",
                bytes: 16 * MIB,
                keys: 10_000,
            },
            Plan {
                id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a12",
                name: "large",
                description: "1 GiB in at most 1,000,000 keys",
                bytes: 1024 * MIB,
                keys: 1_000_000,
            },
        ],
    },
    Offering {
        id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a02",
        name: "sqlite",
        kind: Kind::Sqlite,
        description: "A SQLite database of your own, queried by HTTP without a credential",
        tags: &["sqlite", "sql", "relational"],
        plans: &[
            Plan { id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a21", name: "small", description: "64 MiB", bytes: 64 * MIB, keys: 0 },
            Plan { id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a22", name: "large", description: "4 GiB", bytes: 4096 * MIB, keys: 0 },
        ],
    },
    Offering {
        id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a03",
        name: "config",
        kind: Kind::Config,
        description: "Configuration values that apps read; a change needs no restart",
        tags: &["config"],
        plans: &[Plan {
            id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a31",
            name: "small",
            description: "64 KiB in at most 1,000 values",
            bytes: 64 << 10,
            keys: 1_000,
        }],
    },
    Offering {
        id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a04",
        name: "postgres",
        kind: Kind::Postgres,
        description: "A PostgreSQL database of your own, by its drivers or queried by HTTP without a credential",
        tags: &["postgres", "postgresql", "sql", "relational"],
        plans: &[
            Plan { id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a41", name: "small", description: "64 MiB", bytes: 64 * MIB, keys: 0 },
            Plan { id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a42", name: "large", description: "4 GiB", bytes: 4096 * MIB, keys: 0 },
        ],
    },
    Offering {
        id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a05",
        name: "redis",
        kind: Kind::Redis,
        description: "Keys and channels below a prefix of your own in a Redis, by its drivers or by HTTP without a credential",
        tags: &["redis", "keyvalue", "cache"],
        plans: &[
            Plan {
                id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a51",
                name: "small",
                description: "16 MiB in at most 10,000 keys",
                bytes: 16 * MIB,
                keys: 10_000,
            },
            Plan {
                id: "6f0f6d5b-6f6a-4a55-9a3c-2f3f0c6e7a52",
                name: "large",
                description: "256 MiB in at most 1,000,000 keys",
                bytes: 256 * MIB,
                keys: 1_000_000,
            },
        ],
    },
];

/// The offering with this id.
pub(crate) fn offering(id: &str) -> Option<&'static Offering> {
    OFFERINGS.iter().find(|offering| offering.id == id)
}

impl Offering {
    /// The plan with this id.
    pub fn plan(&self, id: &str) -> Option<&'static Plan> {
        self.plans.iter().find(|plan| plan.id == id)
    }

    fn to_json(&self) -> Value {
        let name = json!({ "type": "string" });
        let (create, update) = match self.kind {
            Kind::Config => {
                let values = schema(json!({ "values": { "type": "object", "additionalProperties": { "type": "string" } } }));
                (values.clone(), values)
            }
            Kind::KeyValue | Kind::Sqlite => (schema(json!({})), schema(json!({ "backup": name, "restore": name, "delete_backup": name }))),
            Kind::Postgres | Kind::Redis => (schema(json!({})), schema(json!({}))),
        };
        let plans: Vec<_> = self.plans.iter().map(|plan| plan.to_json(&create, &update)).collect();
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "bindable": true,
            "plan_updateable": true,
            "instances_retrievable": true,
            // A password is kept nowhere.
            "bindings_retrievable": !matches!(self.kind, Kind::Postgres | Kind::Redis),
            "tags": self.tags,
            "metadata": { "displayName": self.name, "longDescription": self.description, "providerDisplayName": "Virga", "shareable": true },
            "plans": plans,
        })
    }
}

impl Plan {
    fn to_json(&self, create: &Value, update: &Value) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "free": true,
            "metadata": { "bullets": [self.description] },
            "schemas": {
                "service_instance": { "create": { "parameters": create }, "update": { "parameters": update } },
                "service_binding": { "create": { "parameters": schema(json!({})) } },
            },
        })
    }
}

/// Schema of parameters with these properties and no others.
fn schema(properties: Value) -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// The catalog (Open Service Broker 2.17, "Catalog Management") of what can be made here.
pub(crate) fn catalog(servers: &Servers) -> Value {
    let offered = OFFERINGS.iter().filter(|offering| servers.offers(offering.kind));
    json!({ "services": offered.map(Offering::to_json).collect::<Vec<_>>() })
}
