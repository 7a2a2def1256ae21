-- Lists come in the order of creation; without an index each page sorts the whole table (1.1 s for 100 of 100,000 processes).

CREATE INDEX processes_by_creation ON processes (created_at, guid);
CREATE INDEX packages_by_creation ON packages (created_at, guid);
CREATE INDEX builds_by_creation ON builds (created_at, guid);
CREATE INDEX droplets_by_creation ON droplets (created_at, guid);
CREATE INDEX deployments_by_creation ON deployments (created_at, guid);
CREATE INDEX routes_by_creation ON routes (created_at, guid);
CREATE INDEX spaces_by_creation ON spaces (created_at, guid);
CREATE INDEX roles_by_creation ON roles (created_at, guid);
CREATE INDEX users_by_creation ON users (created_at, guid);

-- Searched whenever roles, spaces or organizations are deleted or an organization's spaces are looked up.
CREATE INDEX spaces_by_organization ON spaces (organization_guid, created_at, guid);
CREATE INDEX roles_by_scope ON roles (scope_guid, user_guid);
