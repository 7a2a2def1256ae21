-- The UAA whole: SCIM, client administration, rotated refresh tokens, one-time codes, browser sessions, approvals.

-- version is SCIM's: it grows with every change that SCIM shows. failed_logins and last_failed_at of this table are no longer
-- read: failures are counted by name, below.
ALTER TABLE uaa_users ADD COLUMN version BIGINT NOT NULL DEFAULT 0;
-- token_salt goes into every token of the user; a new one voids them all.
ALTER TABLE uaa_users ADD COLUMN token_salt TEXT NOT NULL DEFAULT '';
ALTER TABLE uaa_users ADD COLUMN verified BIGINT NOT NULL DEFAULT 1;
ALTER TABLE uaa_users ADD COLUMN external_id TEXT NOT NULL DEFAULT '';
ALTER TABLE uaa_users ADD COLUMN phone TEXT NOT NULL DEFAULT '';
ALTER TABLE uaa_users ADD COLUMN last_login_at BIGINT;
ALTER TABLE uaa_users ADD COLUMN previous_login_at BIGINT;
ALTER TABLE uaa_users ADD COLUMN password_change_required BIGINT NOT NULL DEFAULT 0;
CREATE INDEX uaa_users_by_external_id ON uaa_users (origin, external_id);

-- Failed logins since the last good one, of names that exist and of names that do not: both are locked alike.
CREATE TABLE uaa_failed_logins (
    origin TEXT NOT NULL,
    name_key TEXT NOT NULL,
    failures BIGINT NOT NULL,
    last_failed_at BIGINT NOT NULL,
    PRIMARY KEY (origin, name_key)
);
CREATE INDEX uaa_failed_logins_by_time ON uaa_failed_logins (last_failed_at);

-- name_key is the name in lower case. Members stand in uaa_group_members by the group's name.
CREATE TABLE uaa_groups (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    display_name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    version BIGINT NOT NULL
);

-- Who put the member in: uaa, or the identity provider whose groups are mapped.
ALTER TABLE uaa_group_members ADD COLUMN origin TEXT NOT NULL DEFAULT 'uaa';

-- redirect_uris, autoapprove, resource_ids, allowed_providers: JSON lists; extra: a JSON object of whatever else was said of it.
-- token_salt goes into every token and changes where a secret is replaced, which voids the tokens.
ALTER TABLE uaa_clients ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE uaa_clients ADD COLUMN second_secret_hash TEXT;
ALTER TABLE uaa_clients ADD COLUMN token_salt TEXT NOT NULL DEFAULT '';
ALTER TABLE uaa_clients ADD COLUMN redirect_uris TEXT NOT NULL DEFAULT '[]';
ALTER TABLE uaa_clients ADD COLUMN autoapprove TEXT NOT NULL DEFAULT '[]';
ALTER TABLE uaa_clients ADD COLUMN resource_ids TEXT NOT NULL DEFAULT '["none"]';
ALTER TABLE uaa_clients ADD COLUMN allowed_providers TEXT;
ALTER TABLE uaa_clients ADD COLUMN allow_public BIGINT NOT NULL DEFAULT 0;
ALTER TABLE uaa_clients ADD COLUMN rotate_refresh_tokens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE uaa_clients ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';

-- A key signs from signs_from on, so that every process knows it before; until then, and ever after, it verifies.
ALTER TABLE uaa_keys ADD COLUMN signs_from BIGINT NOT NULL DEFAULT 0;

-- A family is the tokens that followed one another from one login. used_at: when the next one took its place.
ALTER TABLE uaa_refresh_tokens ADD COLUMN jti TEXT NOT NULL DEFAULT '';
ALTER TABLE uaa_refresh_tokens ADD COLUMN family TEXT NOT NULL DEFAULT '';
ALTER TABLE uaa_refresh_tokens ADD COLUMN grant_type TEXT NOT NULL DEFAULT 'password';
ALTER TABLE uaa_refresh_tokens ADD COLUMN auth_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE uaa_refresh_tokens ADD COLUMN used_at BIGINT;
CREATE INDEX uaa_refresh_tokens_by_jti ON uaa_refresh_tokens (jti);
CREATE INDEX uaa_refresh_tokens_by_family ON uaa_refresh_tokens (family);

-- Codes that can be used once: authorization codes, passcodes, password resets, logins under way at another provider.
CREATE TABLE uaa_codes (
    code_hash TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    user_guid TEXT REFERENCES uaa_users (guid) ON DELETE CASCADE,
    data TEXT NOT NULL
);
CREATE INDEX uaa_codes_by_expiry ON uaa_codes (expires_at);
CREATE INDEX uaa_codes_by_user ON uaa_codes (user_guid, kind);

-- Sessions of browsers, by the digest of their cookie.
CREATE TABLE uaa_sessions (
    token_hash TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    user_guid TEXT NOT NULL REFERENCES uaa_users (guid) ON DELETE CASCADE
);
CREATE INDEX uaa_sessions_by_expiry ON uaa_sessions (expires_at);
CREATE INDEX uaa_sessions_by_user ON uaa_sessions (user_guid);

-- What a user lets a client do.
CREATE TABLE uaa_approvals (
    user_guid TEXT NOT NULL REFERENCES uaa_users (guid) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    approved BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_guid, client_id, scope)
);
CREATE INDEX uaa_approvals_by_client ON uaa_approvals (client_id);
