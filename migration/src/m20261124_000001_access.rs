//! Who is asking: roles with permissions, users, sessions, API tokens.

crate::step! {
    up "
CREATE TABLE roles (
    id {id},
    code {key} NOT NULL,
    name TEXT NOT NULL
);
CREATE UNIQUE INDEX uq_roles_code ON roles (code);
CREATE TABLE role_permissions (
    role_id BIGINT NOT NULL,
    permission {key} NOT NULL,
    PRIMARY KEY (role_id, permission),
    CONSTRAINT fk_role_permissions_role FOREIGN KEY (role_id) REFERENCES roles (id) ON DELETE CASCADE
);
INSERT INTO roles (code, name) VALUES
    ('administrator', 'Administrator'), ('staff', 'Staff'), ('viewer', 'Viewer');
INSERT INTO role_permissions (role_id, permission) SELECT id, '*' FROM roles WHERE code = 'administrator';
CREATE TABLE users (
    id {id},
    version BIGINT NOT NULL,
    email TEXT NOT NULL,
    email_key {key} NOT NULL,
    name TEXT NOT NULL,
    role_id BIGINT NOT NULL,
    password_hash TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CONSTRAINT fk_users_role FOREIGN KEY (role_id) REFERENCES roles (id)
);
CREATE UNIQUE INDEX uq_users_email ON users (email_key);
CREATE TABLE sessions (
    id {key} NOT NULL PRIMARY KEY,
    user_id BIGINT,
    data TEXT NOT NULL,
    expires_at {time} NOT NULL,
    created_at {time} NOT NULL,
    CONSTRAINT fk_sessions_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_sessions_user ON sessions (user_id);
CREATE INDEX ix_sessions_expires ON sessions (expires_at);
CREATE TABLE api_tokens (
    id {id},
    user_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    hash {key} NOT NULL,
    permissions {json},
    requires_version BOOLEAN NOT NULL,
    expires_at {time},
    last_used_at {time},
    revoked_at {time},
    created_at {time} NOT NULL,
    CONSTRAINT fk_api_tokens_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_api_tokens_hash ON api_tokens (hash);
CREATE INDEX ix_api_tokens_user ON api_tokens (user_id);
",
    down "
DROP TABLE api_tokens;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE role_permissions;
DROP TABLE roles;
",
}
