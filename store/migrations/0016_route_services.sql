-- Route services: which instance is in the way of which route.
CREATE TABLE service_route_bindings (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    service_instance_guid TEXT NOT NULL REFERENCES service_instances (guid),
    route_guid TEXT NOT NULL REFERENCES routes (guid) ON DELETE CASCADE,
    route_service_url TEXT,
    operation_type TEXT NOT NULL,
    operation_state TEXT NOT NULL,
    operation_description TEXT NOT NULL,
    operation_created_at BIGINT NOT NULL,
    operation_updated_at BIGINT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);
CREATE INDEX service_route_bindings_by_creation ON service_route_bindings (created_at, guid);
CREATE INDEX service_route_bindings_by_instance ON service_route_bindings (service_instance_guid, created_at, guid);
CREATE UNIQUE INDEX service_route_bindings_route_guid ON service_route_bindings (route_guid);
