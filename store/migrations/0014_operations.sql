-- Operations at service brokers.

-- When a job is to be taken up again; null is at once.
ALTER TABLE jobs ADD COLUMN due_at BIGINT;

-- Whether the platform itself is the broker; no request can set it.
ALTER TABLE service_brokers ADD COLUMN is_own BIGINT NOT NULL DEFAULT 0;

-- Names of keys are unique for their instance, as those of bindings are for their app.
CREATE UNIQUE INDEX service_credential_bindings_service_instance_guid_name ON service_credential_bindings (service_instance_guid, name) WHERE type = 'key';

-- An app is bound to an instance more than once while credentials are rotated, then all of them under one name.
DROP INDEX service_credential_bindings_app_guid_service_instance_guid;
DROP INDEX service_credential_bindings_app_guid_name;
CREATE INDEX service_credential_bindings_by_app ON service_credential_bindings (app_guid, service_instance_guid, created_at, guid);

-- Spaces besides its own whose apps may be bound to an instance.
CREATE TABLE service_instance_shares (
    service_instance_guid TEXT NOT NULL REFERENCES service_instances (guid),
    space_guid TEXT NOT NULL REFERENCES spaces (guid),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (service_instance_guid, space_guid)
);
CREATE INDEX service_instance_shares_by_space ON service_instance_shares (space_guid);
