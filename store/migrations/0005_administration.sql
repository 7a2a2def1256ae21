-- Quotas of spaces, isolation segments, security groups of single spaces, usage events, buildpacks and the state of stacks.

CREATE TABLE space_quotas (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL,
    organization_guid TEXT NOT NULL REFERENCES organizations (guid) ON DELETE CASCADE,
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
    UNIQUE (organization_guid, name)
);
CREATE INDEX space_quotas_by_creation ON space_quotas (created_at, guid);

CREATE TABLE isolation_segments (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL,
    -- The name in lower case: names differ by more than case.
    name_key TEXT NOT NULL UNIQUE,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);

-- Organizations that may use a segment.
CREATE TABLE isolation_segment_organizations (
    isolation_segment_guid TEXT NOT NULL REFERENCES isolation_segments (guid),
    organization_guid TEXT NOT NULL REFERENCES organizations (guid) ON DELETE CASCADE,
    PRIMARY KEY (isolation_segment_guid, organization_guid)
);
CREATE INDEX isolation_segment_organizations_by_organization ON isolation_segment_organizations (organization_guid);

ALTER TABLE organizations ADD COLUMN default_isolation_segment_guid TEXT REFERENCES isolation_segments (guid);
ALTER TABLE spaces ADD COLUMN isolation_segment_guid TEXT REFERENCES isolation_segments (guid);
ALTER TABLE spaces ADD COLUMN quota_guid TEXT REFERENCES space_quotas (guid);
ALTER TABLE spaces ADD COLUMN suspended BIGINT NOT NULL DEFAULT 0;
CREATE INDEX spaces_by_quota ON spaces (quota_guid);
CREATE INDEX spaces_by_isolation_segment ON spaces (isolation_segment_guid);
CREATE INDEX organizations_by_quota ON organizations (quota_guid);

-- phase is running or staging.
CREATE TABLE security_group_spaces (
    phase TEXT NOT NULL,
    space_guid TEXT NOT NULL REFERENCES spaces (guid) ON DELETE CASCADE,
    security_group_guid TEXT NOT NULL REFERENCES security_groups (guid) ON DELETE CASCADE,
    PRIMARY KEY (phase, space_guid, security_group_guid)
);
CREATE INDEX security_group_spaces_by_group ON security_group_spaces (security_group_guid, phase);

-- What an operator bills by. created_at is that of the event before at the least, plus one: readers go on after the last they saw.
CREATE TABLE app_usage_events (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    previous_state TEXT,
    app_guid TEXT NOT NULL,
    app_name TEXT NOT NULL,
    process_guid TEXT,
    process_type TEXT,
    space_guid TEXT NOT NULL,
    space_name TEXT NOT NULL,
    organization_guid TEXT NOT NULL,
    buildpack_guid TEXT,
    buildpack_name TEXT,
    task_guid TEXT,
    task_name TEXT,
    memory_in_mb BIGINT NOT NULL,
    previous_memory_in_mb BIGINT,
    instances BIGINT NOT NULL,
    previous_instances BIGINT
);
CREATE INDEX app_usage_events_by_creation ON app_usage_events (created_at, guid);

-- What the last event said of each process and task that runs; the next says what differs from it.
CREATE TABLE app_usage (
    guid TEXT PRIMARY KEY,
    app_guid TEXT NOT NULL,
    app_name TEXT NOT NULL,
    type TEXT,
    memory_in_mb BIGINT NOT NULL,
    instances BIGINT NOT NULL
);
CREATE INDEX app_usage_by_app ON app_usage (app_guid);

CREATE TABLE service_usage_events (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    space_guid TEXT NOT NULL,
    space_name TEXT NOT NULL,
    organization_guid TEXT NOT NULL,
    service_instance_guid TEXT NOT NULL,
    service_instance_name TEXT NOT NULL,
    service_instance_type TEXT NOT NULL,
    service_plan_guid TEXT,
    service_plan_name TEXT,
    service_offering_guid TEXT,
    service_offering_name TEXT,
    service_broker_guid TEXT,
    service_broker_name TEXT
);
CREATE INDEX service_usage_events_by_creation ON service_usage_events (created_at, guid);

-- builder names the buildpack of this program that does the work; none until something was uploaded. detect is a JSON list of
-- file names that an app is recognised by; none leaves it to the builder.
CREATE TABLE buildpacks (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL,
    -- Empty for any stack.
    stack TEXT NOT NULL,
    lifecycle TEXT NOT NULL,
    position BIGINT NOT NULL,
    enabled BIGINT NOT NULL,
    locked BIGINT NOT NULL,
    filename TEXT,
    builder TEXT,
    version TEXT,
    detect TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (name, stack, lifecycle)
);

-- Buildpacks of this program that were made rows of once. One that was deleted since stays so.
CREATE TABLE known_builders (
    name TEXT PRIMARY KEY
);

CREATE TABLE stacks (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    state TEXT NOT NULL,
    state_reason TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL
);
