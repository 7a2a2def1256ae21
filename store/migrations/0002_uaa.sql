-- Tables of the UAA.

CREATE TABLE uaa_users (
    guid TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    username TEXT NOT NULL,
    origin TEXT NOT NULL,
    email TEXT NOT NULL,
    given_name TEXT NOT NULL,
    family_name TEXT NOT NULL,
    -- argon2id, PHC string; null for users who cannot log in by password.
    password_hash TEXT,
    active BIGINT NOT NULL,
    failed_logins BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    -- Tokens issued before this moment are void.
    tokens_valid_from BIGINT NOT NULL,
    UNIQUE (username, origin)
);

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
    -- argon2id, PHC string; the hash of the empty secret for public clients.
    secret_hash TEXT NOT NULL,
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
    private_key_pem TEXT NOT NULL,
    public_key_pem TEXT NOT NULL
);

CREATE TABLE uaa_refresh_tokens (
    -- SHA-256 of the token; the token itself is never kept.
    token_hash TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    user_guid TEXT NOT NULL REFERENCES uaa_users (guid) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    scopes TEXT NOT NULL
);
CREATE INDEX uaa_refresh_tokens_by_user ON uaa_refresh_tokens (user_guid);
CREATE INDEX uaa_refresh_tokens_by_expiry ON uaa_refresh_tokens (expires_at);
