-- Tables of the scheduler, which alone writes them. What users want stands in apps and processes.

CREATE TABLE actual_instances (
    guid TEXT PRIMARY KEY,
    process_guid TEXT NOT NULL,
    instance_index BIGINT NOT NULL,
    -- processes.version this instance was started for.
    version TEXT NOT NULL,
    cell TEXT NOT NULL,
    state TEXT NOT NULL,
    since BIGINT NOT NULL,
    details TEXT,
    crash_count BIGINT NOT NULL,
    -- Earliest moment of the next start of a crashed instance.
    restart_at BIGINT,
    UNIQUE (process_guid, instance_index)
);

-- What the instances of a process were told when this version of it was first seen. A change of the app (variables, droplet,
-- routes in VCAP_APPLICATION) reaches running instances with the next version, not before, also over a restart of the
-- scheduler.
CREATE TABLE desired_processes (
    guid TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    -- JSON of the scheduler's ProcessSpec.
    spec TEXT NOT NULL
);

-- Where the revisions of snapshots began at the last start, so that they grow even if the clock is set back.
CREATE TABLE snapshot_revisions (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    first_revision BIGINT NOT NULL
);

-- A look for what changed lately reads these few rows only.
CREATE INDEX processes_by_update ON processes (updated_at);
CREATE INDEX apps_by_update ON apps (updated_at);
CREATE INDEX route_destinations_by_update ON route_destinations (updated_at);
