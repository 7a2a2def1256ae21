-- Indexes of what lists filter by, each in the order in which lists come, so that a page of few rows is read from few rows however
-- many there are; and of what is looked for while much is deleted.

-- Lists in the order of creation.
CREATE INDEX organizations_by_creation ON organizations (created_at, guid);
CREATE INDEX domains_by_creation ON domains (created_at, guid);
CREATE INDEX security_groups_by_creation ON security_groups (created_at, guid);
CREATE INDEX organization_quotas_by_creation ON organization_quotas (created_at, guid);

-- Lists by what a resource belongs to.
CREATE INDEX apps_by_space ON apps (space_guid, created_at, guid);
CREATE INDEX apps_by_state ON apps (state, guid);
CREATE INDEX routes_of_space_by_creation ON routes (space_guid, created_at, guid);
CREATE INDEX routes_by_host ON routes (host, created_at, guid);
CREATE INDEX processes_of_app_by_creation ON processes (app_guid, created_at, guid);
CREATE INDEX droplets_by_package ON droplets (package_guid, created_at, guid);
CREATE INDEX builds_by_package ON builds (package_guid, created_at, guid);
CREATE INDEX roles_by_user ON roles (user_guid, created_at, guid);

-- Events are many, and are read by what happened and to whom.
CREATE INDEX audit_events_by_type ON audit_events (type, created_at, guid);
CREATE INDEX audit_events_by_organization ON audit_events (organization_guid, created_at, guid);

-- Whether another row names the same blob; asked for every package and droplet that is deleted.
CREATE INDEX packages_by_digest ON packages (digest);
CREATE INDEX droplets_by_digest ON droplets (digest);

-- Finished jobs are cleared away by age.
CREATE INDEX jobs_by_update ON jobs (updated_at);
