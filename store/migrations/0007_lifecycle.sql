-- Tasks and revisions, and what deployments keep about their steps.

CREATE TABLE tasks (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    app_guid TEXT NOT NULL REFERENCES apps (guid),
    -- Counts the app's tasks from 1.
    sequence_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    command TEXT NOT NULL,
    state TEXT NOT NULL,
    memory_in_mb BIGINT NOT NULL,
    disk_in_mb BIGINT NOT NULL,
    log_rate_limit_in_bytes_per_second BIGINT NOT NULL,
    droplet_guid TEXT NOT NULL,
    failure_reason TEXT,
    -- The worker process it was given to, written before that worker may know of it, so that no other ever starts it.
    worker BIGINT,
    worker_pid BIGINT,
    -- JSON of what that worker was given; null before and after.
    spec TEXT,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (app_guid, sequence_id)
);
CREATE INDEX tasks_by_creation ON tasks (created_at, guid);
CREATE INDEX tasks_by_state ON tasks (state, created_at);

-- What an app ran at some time: everything that a rollback brings back.
CREATE TABLE revisions (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    app_guid TEXT NOT NULL REFERENCES apps (guid),
    -- Counts the app's revisions from 1.
    version BIGINT NOT NULL,
    droplet_guid TEXT NOT NULL,
    environment TEXT NOT NULL,
    -- JSON object: process type -> the user's own command, null for the droplet's.
    commands TEXT NOT NULL,
    description TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (app_guid, version)
);
CREATE INDEX revisions_by_droplet ON revisions (droplet_guid);

ALTER TABLE processes ADD COLUMN revision_guid TEXT;

-- JSON list of the weights of a canary's steps; null where none were named. Steps count from 1.
ALTER TABLE deployments ADD COLUMN canary_steps TEXT;
ALTER TABLE deployments ADD COLUMN canary_current_step BIGINT;
-- What was asked of the new web process; null leaves it as it was.
ALTER TABLE deployments ADD COLUMN web_instances BIGINT;
ALTER TABLE deployments ADD COLUMN memory_in_mb BIGINT;
ALTER TABLE deployments ADD COLUMN disk_in_mb BIGINT;
ALTER TABLE deployments ADD COLUMN log_rate_limit_in_bytes_per_second BIGINT;
ALTER TABLE deployments ADD COLUMN revision_guid TEXT;
ALTER TABLE deployments ADD COLUMN revision_version BIGINT;
