-- Tables of the UAA.

-- username_key is the name in lower case: names differ by more than case. Failed logins are counted since the last good
-- one; how many of them lock the account, and for how long, is the UAA's to say.
CREATE TABLE uaa_users (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    username TEXT NOT NULL,
    username_key TEXT NOT NULL,
    origin TEXT NOT NULL,
    email TEXT NOT NULL,
    given_name TEXT NOT NULL,
    family_name TEXT NOT NULL,
    -- argon2id, PHC string; null for users who cannot log in by password.
    password_hash TEXT,
    password_changed_at BIGINT NOT NULL,
    active BIGINT NOT NULL,
    failed_logins BIGINT NOT NULL,
    last_failed_at BIGINT NOT NULL,
    UNIQUE (username_key, origin)
);
CREATE INDEX uaa_users_by_creation ON uaa_users (created_at, guid);

-- Groups beyond those that every user is in.
CREATE TABLE uaa_group_members (
    group_name TEXT NOT NULL,
    user_guid TEXT NOT NULL REFERENCES uaa_users (guid) ON DELETE CASCADE,
    PRIMARY KEY (group_name, user_guid)
);
CREATE INDEX uaa_group_members_by_user ON uaa_group_members (user_guid);

CREATE TABLE uaa_clients (
    client_id TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- argon2id, PHC string; null for public clients, whose secret is empty.
    secret_hash TEXT,
    -- JSON lists.
    grant_types TEXT NOT NULL,
    scopes TEXT NOT NULL,
    authorities TEXT NOT NULL,
    access_token_seconds BIGINT NOT NULL,
    refresh_token_seconds BIGINT NOT NULL
);

-- RS256 keys; the newest signs, all verify.
CREATE TABLE uaa_keys (
    kid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    private_key_pem TEXT NOT NULL
);

-- token_hash is the SHA-256 of the token; the token itself is never kept.
CREATE TABLE uaa_refresh_tokens (
    token_hash TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    user_guid TEXT NOT NULL REFERENCES uaa_users (guid) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    scopes TEXT NOT NULL
);
CREATE INDEX uaa_refresh_tokens_by_user ON uaa_refresh_tokens (user_guid, client_id, created_at);
CREATE INDEX uaa_refresh_tokens_by_expiry ON uaa_refresh_tokens (expires_at);

-- Access tokens that were revoked before their time.
CREATE TABLE uaa_revoked_tokens (
    jti TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX uaa_revoked_tokens_by_expiry ON uaa_revoked_tokens (expires_at);
