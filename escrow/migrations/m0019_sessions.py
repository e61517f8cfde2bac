"""Sessions: a browser acts for an account for some hours, with a token of its own that a key made, or a link that opens once.

Rows stay when sessions are over, as the log does; those that live are found by partial indexes.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

SESSIONS = """
CREATE TABLE sessions (
    id                TEXT COLLATE "C" NOT NULL,
    account_id        TEXT COLLATE "C" NOT NULL,
    member_id         TEXT COLLATE "C",
    secret_sha256     BYTEA NOT NULL,
    code_sha256       BYTEA,
    hint              TEXT NOT NULL,
    fingerprint       TEXT NOT NULL,
    scopes            TEXT[] NOT NULL,
    contract_ids      TEXT[],
    origins           TEXT[] NOT NULL,
    created_at        TIMESTAMPTZ NOT NULL,
    expires_at        TIMESTAMPTZ NOT NULL,
    opens_for_seconds INT,
    ended_at          TIMESTAMPTZ,
    created_by        TEXT COLLATE "C",
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_account FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT sessions_member FOREIGN KEY (member_id) REFERENCES members (id),
    CONSTRAINT sessions_secret_is_unique UNIQUE (secret_sha256),
    CONSTRAINT sessions_secret_is_a_digest CHECK (octet_length(secret_sha256) = 32),
    CONSTRAINT sessions_code_is_a_digest CHECK (octet_length(code_sha256) = 32),
    CONSTRAINT sessions_scopes CHECK (scopes <@ ARRAY[
        'contracts:read', 'contracts:write', 'money:write', 'webhooks:manage', 'disputes:decide', 'operator']),
    CONSTRAINT sessions_wait_by_a_code CHECK (opens_for_seconds IS NULL OR code_sha256 IS NOT NULL)
);
CREATE UNIQUE INDEX sessions_by_code ON sessions (code_sha256) WHERE code_sha256 IS NOT NULL;
CREATE INDEX sessions_living ON sessions (account_id, expires_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_maker ON sessions (created_by, expires_at) WHERE ended_at IS NULL;
COMMENT ON COLUMN sessions.secret_sha256 IS 'While a link waits, that of its code, which is no token';
COMMENT ON COLUMN sessions.opens_for_seconds IS 'How long it lasts once its link is opened; NULL when it is open';
COMMENT ON COLUMN sessions.created_by IS 'The key that made it, with which it ends; NULL for the command line';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0018_lots")]
    operations: list[Operation] = [RunSQL(SESSIONS)]
