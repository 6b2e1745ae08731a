//! Roles that can be edited, several of them per person, service accounts, invitations, second factors, and where sessions
//! come from.
//!
//! SQLite cannot drop a column that a foreign key names, so there the table of users is made anew.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::dialect::run;

#[derive(DeriveMigrationName)]
pub struct Migration;

const ROLES: &str = "
ALTER TABLE roles ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE roles ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE roles ADD COLUMN description TEXT;
ALTER TABLE roles ADD COLUMN permissions TEXT NOT NULL DEFAULT '';
ALTER TABLE roles ADD COLUMN requires_second_factor BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE roles ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
ALTER TABLE roles ADD COLUMN created_at {time} NOT NULL DEFAULT '2026-11-25T00:00:00+00:00';
ALTER TABLE roles ADD COLUMN updated_at {time} NOT NULL DEFAULT '2026-11-25T00:00:00+00:00';
UPDATE roles SET name_key = lower(name), search_text = lower(name || ' ' || code), permissions = COALESCE(
    (SELECT string_agg(permission, ' ' ORDER BY permission) FROM role_permissions WHERE role_id = roles.id), '');
DROP TABLE role_permissions;
CREATE TABLE user_roles (
    user_id BIGINT NOT NULL,
    role_id BIGINT NOT NULL,
    PRIMARY KEY (user_id, role_id),
    CONSTRAINT fk_user_roles_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_user_roles_role FOREIGN KEY (role_id) REFERENCES roles (id)
);
INSERT INTO user_roles (user_id, role_id) SELECT id, role_id FROM users;
CREATE INDEX ix_user_roles_role ON user_roles (role_id);
";

const USERS_ON_SQLITE: &str = "
CREATE TABLE users_new (
    id {id},
    version BIGINT NOT NULL,
    email TEXT NOT NULL,
    email_key {key} NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    roles TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_service BOOLEAN NOT NULL,
    password_hash TEXT,
    time_zone TEXT,
    search_text TEXT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CONSTRAINT ck_users_password_hash CHECK (NOT (is_service AND password_hash IS NOT NULL))
);
INSERT INTO users_new
    SELECT users.id, users.version, email, email_key, users.name, lower(users.name), code, is_active, FALSE, password_hash, NULL,
        lower(users.name || ' ' || email), users.created_at, users.updated_at
    FROM users JOIN roles ON roles.id = users.role_id;
DROP TABLE users;
ALTER TABLE users_new RENAME TO users;
CREATE UNIQUE INDEX uq_users_email ON users (email_key);
";

const USERS_ON_POSTGRES: &str = "
ALTER TABLE users ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN is_service BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN time_zone TEXT;
ALTER TABLE users ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;
ALTER TABLE users ADD CONSTRAINT ck_users_password_hash CHECK (NOT (is_service AND password_hash IS NOT NULL));
UPDATE users SET name_key = lower(name), search_text = lower(name || ' ' || email),
    roles = (SELECT code FROM roles WHERE roles.id = users.role_id);
ALTER TABLE users DROP COLUMN role_id;
";

const REST: &str = "
ALTER TABLE sessions ADD COLUMN seen_at {time};
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN browser TEXT;
CREATE TABLE second_factors (
    user_id BIGINT NOT NULL PRIMARY KEY,
    secret TEXT NOT NULL,
    last_step BIGINT NOT NULL,
    confirmed_at {time},
    CONSTRAINT fk_second_factors_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE recovery_codes (
    hash {key} NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    CONSTRAINT fk_recovery_codes_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_recovery_codes_user ON recovery_codes (user_id);
CREATE TABLE invitations (
    user_id BIGINT NOT NULL PRIMARY KEY,
    hash {key} NOT NULL,
    expires_at {time} NOT NULL,
    CONSTRAINT fk_invitations_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_invitations_hash ON invitations (hash);
";

const BACK: &str = "
DROP TABLE invitations;
DROP TABLE recovery_codes;
DROP TABLE second_factors;
ALTER TABLE sessions DROP COLUMN browser;
ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN seen_at;
CREATE TABLE role_permissions (
    role_id BIGINT NOT NULL,
    permission {key} NOT NULL,
    PRIMARY KEY (role_id, permission),
    CONSTRAINT fk_role_permissions_role FOREIGN KEY (role_id) REFERENCES roles (id) ON DELETE CASCADE
);
";

const USERS_BACK_ON_SQLITE: &str = "
INSERT INTO role_permissions (role_id, permission)
    WITH RECURSIVE words (role_id, word, rest) AS (
        SELECT id, '', permissions || ' ' FROM roles
        UNION ALL
        SELECT role_id, substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1) FROM words WHERE rest <> ''
    )
    SELECT role_id, word FROM words WHERE word <> '';
CREATE TABLE users_old (
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
INSERT INTO users_old
    SELECT id, version, email, email_key, name,
        COALESCE((SELECT MIN(role_id) FROM user_roles WHERE user_id = users.id), (SELECT MAX(id) FROM roles)),
        COALESCE(password_hash, ''), is_active, created_at, updated_at
    FROM users;
DROP TABLE users;
ALTER TABLE users_old RENAME TO users;
CREATE UNIQUE INDEX uq_users_email ON users (email_key);
";

const USERS_BACK_ON_POSTGRES: &str = "
INSERT INTO role_permissions (role_id, permission)
    SELECT id, word FROM roles, unnest(string_to_array(permissions, ' ')) AS word WHERE word <> '';
ALTER TABLE users ADD COLUMN role_id BIGINT;
UPDATE users SET password_hash = COALESCE(password_hash, ''),
    role_id = COALESCE((SELECT MIN(role_id) FROM user_roles WHERE user_id = users.id), (SELECT MAX(id) FROM roles));
ALTER TABLE users DROP CONSTRAINT ck_users_password_hash;
ALTER TABLE users ALTER COLUMN role_id SET NOT NULL;
ALTER TABLE users ALTER COLUMN password_hash SET NOT NULL;
ALTER TABLE users ADD CONSTRAINT fk_users_role FOREIGN KEY (role_id) REFERENCES roles (id);
ALTER TABLE users DROP COLUMN name_key;
ALTER TABLE users DROP COLUMN roles;
ALTER TABLE users DROP COLUMN is_service;
ALTER TABLE users DROP COLUMN time_zone;
ALTER TABLE users DROP COLUMN search_text;
";

const ROLES_BACK: &str = "
DROP TABLE user_roles;
ALTER TABLE roles DROP COLUMN version;
ALTER TABLE roles DROP COLUMN name_key;
ALTER TABLE roles DROP COLUMN description;
ALTER TABLE roles DROP COLUMN permissions;
ALTER TABLE roles DROP COLUMN requires_second_factor;
ALTER TABLE roles DROP COLUMN search_text;
ALTER TABLE roles DROP COLUMN created_at;
ALTER TABLE roles DROP COLUMN updated_at;
";

fn of<'a>(manager: &SchemaManager<'_>, sqlite: &'a str, postgres: &'a str) -> &'a str {
    match manager.get_connection().get_database_backend() {
        DbBackend::Sqlite => sqlite,
        _ => postgres,
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, ROLES).await?;
        run(manager, of(manager, USERS_ON_SQLITE, USERS_ON_POSTGRES)).await?;
        run(manager, REST).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, BACK).await?;
        run(manager, of(manager, USERS_BACK_ON_SQLITE, USERS_BACK_ON_POSTGRES)).await?;
        run(manager, ROLES_BACK).await
    }
}
