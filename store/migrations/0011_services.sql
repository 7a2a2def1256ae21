-- Service instances and credential bindings. Columns of instances that a broker made, and the tables of brokers, offerings and
-- plans, stand beside these.

-- Text that only the platform's key opens: equals store_id. Set when a key is first given.
ALTER TABLE installation ADD COLUMN key_check TEXT;

CREATE TABLE service_instances (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL,
    space_guid TEXT NOT NULL REFERENCES spaces (guid),
    -- managed or user-provided.
    type TEXT NOT NULL,
    -- JSON list.
    tags TEXT NOT NULL,
    -- Sealed JSON object; of user-provided instances only.
    credentials TEXT,
    syslog_drain_url TEXT,
    route_service_url TEXT,
    operation_type TEXT NOT NULL,
    operation_state TEXT NOT NULL,
    operation_description TEXT NOT NULL,
    operation_created_at BIGINT NOT NULL,
    operation_updated_at BIGINT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (space_guid, name)
);
CREATE INDEX service_instances_by_creation ON service_instances (created_at, guid);
CREATE INDEX service_instances_by_space ON service_instances (space_guid, created_at, guid);

CREATE TABLE service_credential_bindings (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- app or key.
    type TEXT NOT NULL,
    name TEXT,
    service_instance_guid TEXT NOT NULL REFERENCES service_instances (guid),
    -- Null for a key.
    app_guid TEXT REFERENCES apps (guid),
    -- Sealed JSON object.
    credentials TEXT,
    syslog_drain_url TEXT,
    -- JSON list.
    volume_mounts TEXT NOT NULL,
    operation_type TEXT NOT NULL,
    operation_state TEXT NOT NULL,
    operation_description TEXT NOT NULL,
    operation_created_at BIGINT NOT NULL,
    operation_updated_at BIGINT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);
CREATE INDEX service_credential_bindings_by_creation ON service_credential_bindings (created_at, guid);
CREATE INDEX service_credential_bindings_by_instance ON service_credential_bindings (service_instance_guid, created_at, guid);
-- Indexes and not constraints of the table, so that a later release may lift them.
CREATE UNIQUE INDEX service_credential_bindings_app_guid_service_instance_guid
    ON service_credential_bindings (app_guid, service_instance_guid);
CREATE UNIQUE INDEX service_credential_bindings_app_guid_name ON service_credential_bindings (app_guid, name);
