-- Sharing of domains and routes, TCP routes, network policies.

CREATE TABLE router_groups (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    -- As written: 1024-1123,2000.
    reservable_ports TEXT NOT NULL
);

-- Set for TCP domains.
ALTER TABLE domains ADD COLUMN router_group_guid TEXT REFERENCES router_groups (guid);

-- Organizations that may use a private domain besides its owner.
CREATE TABLE domain_shares (
    domain_guid TEXT NOT NULL REFERENCES domains (guid) ON DELETE CASCADE,
    organization_guid TEXT NOT NULL REFERENCES organizations (guid) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (domain_guid, organization_guid)
);
CREATE INDEX domain_shares_by_organization ON domain_shares (organization_guid, domain_guid);

-- Routes get a port, which is part of what makes one unique; SQLite changes a table's constraints only by making it anew.
CREATE TABLE held_destinations AS SELECT * FROM route_destinations;
CREATE TABLE held_routes AS SELECT * FROM routes;
DROP TABLE route_destinations;
DROP TABLE routes;

CREATE TABLE routes (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    space_guid TEXT NOT NULL REFERENCES spaces (guid),
    domain_guid TEXT NOT NULL REFERENCES domains (guid),
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    -- 0 for HTTP routes.
    port BIGINT NOT NULL DEFAULT 0,
    options TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (domain_guid, host, path, port)
);
CREATE INDEX routes_by_space ON routes (space_guid);
CREATE INDEX routes_by_creation ON routes (created_at, guid);
-- One router listens on the ports of all router groups.
CREATE UNIQUE INDEX routes_port ON routes (port) WHERE port > 0;

CREATE TABLE route_destinations (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    route_guid TEXT NOT NULL REFERENCES routes (guid) ON DELETE CASCADE,
    app_guid TEXT NOT NULL REFERENCES apps (guid),
    process_type TEXT NOT NULL,
    port BIGINT,
    weight BIGINT,
    protocol TEXT NOT NULL,
    UNIQUE (route_guid, app_guid, process_type, port)
);
CREATE INDEX route_destinations_by_app ON route_destinations (app_guid);
CREATE INDEX route_destinations_by_update ON route_destinations (updated_at);

INSERT INTO routes (guid, created_at, updated_at, space_guid, domain_guid, host, path, options, labels, annotations)
    SELECT guid, created_at, updated_at, space_guid, domain_guid, host, path, options, labels, annotations FROM held_routes;
INSERT INTO route_destinations (guid, created_at, updated_at, route_guid, app_guid, process_type, port, weight, protocol)
    SELECT guid, created_at, updated_at, route_guid, app_guid, process_type, port, weight, protocol FROM held_destinations;
DROP TABLE held_destinations;
DROP TABLE held_routes;

-- Spaces whose apps may be destinations of a route besides those of its own space.
CREATE TABLE route_shares (
    route_guid TEXT NOT NULL REFERENCES routes (guid) ON DELETE CASCADE,
    space_guid TEXT NOT NULL REFERENCES spaces (guid) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (route_guid, space_guid)
);
CREATE INDEX route_shares_by_space ON route_shares (space_guid, route_guid);

-- Which app may reach which by internal routes.
CREATE TABLE network_policies (
    source_guid TEXT NOT NULL REFERENCES apps (guid) ON DELETE CASCADE,
    destination_guid TEXT NOT NULL REFERENCES apps (guid) ON DELETE CASCADE,
    protocol TEXT NOT NULL,
    first_port BIGINT NOT NULL,
    last_port BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (source_guid, destination_guid, protocol, first_port, last_port)
);
CREATE INDEX network_policies_by_destination ON network_policies (destination_guid);

-- Domains are looked up by their owner, and deleted with it.
CREATE INDEX domains_by_organization ON domains (organization_guid);
