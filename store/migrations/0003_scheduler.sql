-- Actual instances. The scheduler alone writes here; what is wanted stands in apps and processes.

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
