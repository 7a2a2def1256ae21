-- Tables of the Cloud Controller. One text for SQLite and PostgreSQL: TEXT and BIGINT only, truth as 0 and 1 (the
-- drivers' common denominator has no BOOLEAN on SQLite), times as microseconds since the epoch, JSON as TEXT. Lists are
-- ordered by (created_at, guid).

CREATE TABLE installation (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    store_id TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE organization_quotas (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    total_memory_in_mb BIGINT,
    per_process_memory_in_mb BIGINT,
    total_instances BIGINT,
    per_app_tasks BIGINT,
    log_rate_limit_in_bytes_per_second BIGINT,
    paid_services_allowed BIGINT NOT NULL,
    total_service_instances BIGINT,
    total_service_keys BIGINT,
    total_routes BIGINT,
    total_reserved_ports BIGINT,
    total_domains BIGINT
);

CREATE TABLE organizations (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    suspended BIGINT NOT NULL,
    quota_guid TEXT NOT NULL REFERENCES organization_quotas (guid),
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);

CREATE TABLE spaces (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL,
    organization_guid TEXT NOT NULL REFERENCES organizations (guid),
    allow_ssh BIGINT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (organization_guid, name)
);

-- Users as the Cloud Controller knows them; names are copied from the UAA.
CREATE TABLE users (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    username TEXT,
    origin TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);

-- scope_guid is organization_guid or space_guid, whichever the type asks for; it makes the pair unique in one index.
CREATE TABLE roles (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    type TEXT NOT NULL,
    user_guid TEXT NOT NULL REFERENCES users (guid) ON DELETE CASCADE,
    scope_guid TEXT NOT NULL,
    organization_guid TEXT REFERENCES organizations (guid),
    space_guid TEXT REFERENCES spaces (guid),
    UNIQUE (user_guid, scope_guid, type)
);
CREATE INDEX roles_by_organization ON roles (organization_guid);
CREATE INDEX roles_by_space ON roles (space_guid);

-- organization_guid is null for shared domains.
CREATE TABLE domains (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    internal BIGINT NOT NULL,
    organization_guid TEXT REFERENCES organizations (guid),
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);

CREATE TABLE apps (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL,
    space_guid TEXT NOT NULL REFERENCES spaces (guid),
    state TEXT NOT NULL,
    -- JSON list of the buildpack names the user asked for.
    buildpacks TEXT NOT NULL,
    stack TEXT NOT NULL,
    droplet_guid TEXT,
    environment TEXT NOT NULL,
    -- JSON object of app features that differ from their default.
    features TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (space_guid, name)
);
CREATE INDEX apps_by_creation ON apps (created_at, guid);
CREATE INDEX apps_by_name ON apps (name, guid);

-- version changes whenever instances must be replaced. Several web processes exist only during a deployment; the one
-- with the latest created_at is the app's current web process.
CREATE TABLE processes (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    app_guid TEXT NOT NULL REFERENCES apps (guid),
    type TEXT NOT NULL,
    version TEXT NOT NULL,
    command TEXT,
    instances BIGINT NOT NULL,
    memory_in_mb BIGINT NOT NULL,
    disk_in_mb BIGINT NOT NULL,
    log_rate_limit_in_bytes_per_second BIGINT NOT NULL,
    -- JSON of model's HealthCheck.
    health_check TEXT NOT NULL,
    readiness_health_check TEXT NOT NULL,
    -- Droplet this process runs; null follows the app's current droplet. Set on processes of a deployment.
    droplet_guid TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);
CREATE INDEX processes_by_app ON processes (app_guid, type, created_at);

CREATE TABLE packages (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    app_guid TEXT NOT NULL REFERENCES apps (guid),
    type TEXT NOT NULL,
    state TEXT NOT NULL,
    -- SHA-256 of the bits in the blobstore.
    digest TEXT,
    size_bytes BIGINT,
    error TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);
CREATE INDEX packages_by_app ON packages (app_guid, created_at);

CREATE TABLE builds (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    app_guid TEXT NOT NULL REFERENCES apps (guid),
    package_guid TEXT NOT NULL,
    droplet_guid TEXT,
    state TEXT NOT NULL,
    error TEXT,
    buildpacks TEXT NOT NULL,
    stack TEXT NOT NULL,
    staging_memory_in_mb BIGINT NOT NULL,
    staging_disk_in_mb BIGINT NOT NULL,
    created_by_guid TEXT,
    created_by_name TEXT,
    created_by_email TEXT,
    -- JSON list of [step, milliseconds].
    steps TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);
CREATE INDEX builds_by_app ON builds (app_guid, created_at);
CREATE INDEX builds_by_state ON builds (state);

CREATE TABLE droplets (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    app_guid TEXT NOT NULL REFERENCES apps (guid),
    package_guid TEXT,
    state TEXT NOT NULL,
    error TEXT,
    digest TEXT,
    size_bytes BIGINT,
    guest TEXT,
    stack TEXT NOT NULL,
    -- JSON object type -> command.
    process_types TEXT NOT NULL,
    -- JSON list of contract's UsedBuildpack.
    buildpacks TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);
CREATE INDEX droplets_by_app ON droplets (app_guid, created_at);

-- old_web_process_guid is scaled down while new_web_process_guid is scaled up.
CREATE TABLE deployments (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    app_guid TEXT NOT NULL REFERENCES apps (guid),
    state TEXT NOT NULL,
    strategy TEXT NOT NULL,
    max_in_flight BIGINT NOT NULL,
    droplet_guid TEXT NOT NULL,
    previous_droplet_guid TEXT,
    old_web_process_guid TEXT NOT NULL,
    new_web_process_guid TEXT NOT NULL,
    original_instances BIGINT NOT NULL,
    last_healthy_at BIGINT,
    status_changed_at BIGINT NOT NULL,
    error TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);
CREATE INDEX deployments_by_app ON deployments (app_guid, created_at);
CREATE INDEX deployments_by_state ON deployments (state);

CREATE TABLE routes (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    space_guid TEXT NOT NULL REFERENCES spaces (guid),
    domain_guid TEXT NOT NULL REFERENCES domains (guid),
    host TEXT NOT NULL,
    path TEXT NOT NULL,
    options TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (domain_guid, host, path)
);
CREATE INDEX routes_by_space ON routes (space_guid);

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

-- A job is written in the transaction that needs it and is taken up again after a crash; payload is its JSON input.
CREATE TABLE jobs (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    operation TEXT NOT NULL,
    state TEXT NOT NULL,
    resource_guid TEXT,
    payload TEXT NOT NULL,
    -- JSON lists.
    errors TEXT NOT NULL,
    warnings TEXT NOT NULL
);
CREATE INDEX jobs_by_state ON jobs (state);

CREATE TABLE audit_events (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    type TEXT NOT NULL,
    actor_guid TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    target_guid TEXT NOT NULL,
    target_type TEXT NOT NULL,
    target_name TEXT NOT NULL,
    data TEXT NOT NULL,
    space_guid TEXT,
    organization_guid TEXT
);
CREATE INDEX audit_events_by_creation ON audit_events (created_at, guid);
CREATE INDEX audit_events_by_target ON audit_events (target_guid, created_at);
CREATE INDEX audit_events_by_space ON audit_events (space_guid, created_at);

-- Labels of every resource once more, one row each, so that label_selector is answered from an index. The JSON in the
-- resource's own row is what is shown; both are written in one transaction.
CREATE TABLE resource_labels (
    resource_guid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (resource_guid, key)
);
CREATE INDEX resource_labels_by_key ON resource_labels (key, value, resource_guid);

-- Only flags that differ from their default.
CREATE TABLE feature_flags (
    name TEXT PRIMARY KEY,
    enabled BIGINT NOT NULL,
    custom_error_message TEXT,
    updated_at BIGINT NOT NULL
);

-- name is running or staging.
CREATE TABLE environment_variable_groups (
    name TEXT PRIMARY KEY,
    variables TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE security_groups (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    -- JSON list of model's EgressRule.
    rules TEXT NOT NULL,
    running_default BIGINT NOT NULL,
    staging_default BIGINT NOT NULL
);

-- SHA-1 is what clients of resource matching send; digest names the blob.
CREATE TABLE resources (
    sha1 TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    digest TEXT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (sha1, size_bytes)
);
