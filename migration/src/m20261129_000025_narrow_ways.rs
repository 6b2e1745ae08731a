//! Who made a token or a link, and how far that person could reach; wrong codes of second factors.
//!
//! A token without a scope follows the rights of its person only if that person made it, or the command line did. Every other
//! one, also one whose maker is not known, is frozen to what its person may now. Open links reach no further than what the
//! person they invite may now.

crate::step! {
    up "
ALTER TABLE api_tokens ADD COLUMN made_by BIGINT;
ALTER TABLE api_tokens ADD COLUMN addresses TEXT NOT NULL DEFAULT '';
UPDATE api_tokens SET made_by = (
    SELECT CASE events.actor_kind
        WHEN 'user' THEN events.actor_id
        WHEN 'token' THEN (SELECT maker.user_id FROM api_tokens AS maker WHERE maker.id = events.actor_id)
    END
    FROM events WHERE events.resource = 'tokens' AND events.record_id = api_tokens.id AND events.command = 'create'
    ORDER BY events.id LIMIT 1);
UPDATE api_tokens SET permissions = CAST(COALESCE((
    SELECT '[\"' || replace(string_agg(roles.permissions, ' '), ' ', '\",\"') || '\"]'
    FROM user_roles JOIN roles ON roles.id = user_roles.role_id
    WHERE user_roles.user_id = api_tokens.user_id AND roles.permissions <> ''), '[]') AS {json})
WHERE permissions IS NULL AND NOT EXISTS (
    SELECT 1 FROM events
    WHERE events.resource = 'tokens' AND events.record_id = api_tokens.id AND events.command = 'create'
        AND (events.actor_kind = 'system' OR (events.actor_kind = 'user' AND events.actor_id = api_tokens.user_id)));
ALTER TABLE invitations ADD COLUMN made_by BIGINT;
ALTER TABLE invitations ADD COLUMN reach TEXT NOT NULL DEFAULT '';
UPDATE invitations SET reach = COALESCE((
    SELECT string_agg(roles.permissions, ' ')
    FROM user_roles JOIN roles ON roles.id = user_roles.role_id
    WHERE user_roles.user_id = invitations.user_id), '');
ALTER TABLE sessions ADD COLUMN reach TEXT;
ALTER TABLE second_factors ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE second_factors ADD COLUMN shut_until {time};
",
    down "
ALTER TABLE second_factors DROP COLUMN shut_until;
ALTER TABLE second_factors DROP COLUMN failures;
ALTER TABLE sessions DROP COLUMN reach;
ALTER TABLE invitations DROP COLUMN reach;
ALTER TABLE invitations DROP COLUMN made_by;
ALTER TABLE api_tokens DROP COLUMN addresses;
ALTER TABLE api_tokens DROP COLUMN made_by;
",
}
