-- Service brokers, what they offer, and who sees it.

CREATE TABLE service_brokers (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL CONSTRAINT service_brokers_name UNIQUE,
    url TEXT NOT NULL,
    username TEXT NOT NULL,
    -- Sealed.
    password TEXT NOT NULL,
    -- Of a broker of one space.
    space_guid TEXT REFERENCES spaces (guid),
    state TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);
CREATE INDEX service_brokers_by_creation ON service_brokers (created_at, guid);
CREATE INDEX service_brokers_by_space ON service_brokers (space_guid, created_at, guid);

CREATE TABLE service_offerings (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    broker_guid TEXT NOT NULL REFERENCES service_brokers (guid),
    -- The broker's own id of it.
    catalog_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    -- Whether it is still in the broker's catalog.
    available BIGINT NOT NULL,
    -- JSON object: the rest of what the catalog says.
    catalog TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    CONSTRAINT service_offerings_broker_guid_catalog_id UNIQUE (broker_guid, catalog_id)
);
CREATE INDEX service_offerings_by_creation ON service_offerings (created_at, guid);
CREATE INDEX service_offerings_by_name ON service_offerings (name, created_at, guid);
CREATE INDEX service_offerings_by_broker ON service_offerings (broker_guid, created_at, guid);

CREATE TABLE service_plans (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    offering_guid TEXT NOT NULL REFERENCES service_offerings (guid),
    catalog_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    available BIGINT NOT NULL,
    is_free BIGINT NOT NULL,
    -- Whether everybody sees it.
    is_public BIGINT NOT NULL,
    catalog TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    CONSTRAINT service_plans_offering_guid_catalog_id UNIQUE (offering_guid, catalog_id)
);
CREATE INDEX service_plans_by_creation ON service_plans (created_at, guid);
CREATE INDEX service_plans_by_name ON service_plans (name, created_at, guid);
CREATE INDEX service_plans_by_offering ON service_plans (offering_guid, created_at, guid);

-- Organizations that see a plan which is not public.
CREATE TABLE service_plan_visibilities (
    plan_guid TEXT NOT NULL REFERENCES service_plans (guid),
    organization_guid TEXT NOT NULL REFERENCES organizations (guid),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (plan_guid, organization_guid)
);
CREATE INDEX service_plan_visibilities_by_organization ON service_plan_visibilities (organization_guid);

-- Of managed instances: what they are instances of, where people administer them, and the version (JSON) of the plan they have.
ALTER TABLE service_instances ADD COLUMN plan_guid TEXT REFERENCES service_plans (guid);
ALTER TABLE service_instances ADD COLUMN dashboard_url TEXT;
ALTER TABLE service_instances ADD COLUMN maintenance_info TEXT;
CREATE INDEX service_instances_by_plan ON service_instances (plan_guid, created_at, guid);
