-- Credentials that apps use without having them.
ALTER TABLE service_credential_bindings ADD COLUMN is_host_held BIGINT NOT NULL DEFAULT 0;
CREATE INDEX service_credential_bindings_host_held ON service_credential_bindings (app_guid) WHERE is_host_held = 1;
