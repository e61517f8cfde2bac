"""Creates webhook endpoints and their secrets, as an account's log tells of them.

Deleted endpoints stay as rows, as revoked keys do: deliveries were made to them. Secrets are ciphertext, and only those that
sign, or did until lately, are there.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

ENDPOINTS = """
CREATE TABLE endpoints (
    id              TEXT COLLATE "C" NOT NULL,
    account_id      TEXT COLLATE "C" NOT NULL,
    url             TEXT NOT NULL,
    description     TEXT NOT NULL,
    event_types     TEXT[] NOT NULL,
    contract_ids    TEXT[],
    api_version     TEXT NOT NULL,
    version         INT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    disabled_at     TIMESTAMPTZ,
    disabled_reason TEXT,
    deleted_at      TIMESTAMPTZ,
    CONSTRAINT endpoints_pkey PRIMARY KEY (id),
    CONSTRAINT endpoints_account FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT endpoints_event_types CHECK (cardinality(event_types) > 0),
    CONSTRAINT endpoints_contracts CHECK (cardinality(contract_ids) > 0),
    CONSTRAINT endpoints_version CHECK (version >= 1),
    CONSTRAINT endpoints_reason CHECK (
        (disabled_at IS NULL) = (disabled_reason IS NULL) AND disabled_reason IN ('REQUESTED', 'GONE', 'FAILING'))
);
COMMENT ON TABLE endpoints IS 'Where accounts want their events sent';
COMMENT ON COLUMN endpoints.event_types IS 'Exact types, families such as milestone.*, or * for all of them';
COMMENT ON COLUMN endpoints.contract_ids IS 'The only contracts whose events are sent; NULL for all, and the account''s own';
CREATE INDEX endpoints_by_account ON endpoints (account_id, id);

CREATE TABLE endpoint_secrets (
    endpoint_id TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    algorithm   TEXT NOT NULL,
    public_key  TEXT,
    ciphertext  BYTEA NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ,
    CONSTRAINT endpoint_secrets_pkey PRIMARY KEY (endpoint_id, fingerprint),
    CONSTRAINT endpoint_secrets_endpoint FOREIGN KEY (endpoint_id) REFERENCES endpoints (id),
    CONSTRAINT endpoint_secrets_fingerprint CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    CONSTRAINT endpoint_secrets_algorithm CHECK (algorithm IN ('HMAC_SHA256', 'ED25519')),
    CONSTRAINT endpoint_secrets_public_key CHECK ((algorithm = 'ED25519') = (public_key IS NOT NULL))
);
CREATE INDEX endpoint_secrets_public ON endpoint_secrets (endpoint_id) WHERE public_key IS NOT NULL;
COMMENT ON COLUMN endpoint_secrets.created_at IS 'Domain time, that of the event';
COMMENT ON COLUMN endpoint_secrets.expires_at IS 'Real time: until then what is sent is signed with it, too';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0003_reminders")]
    operations: list[Operation] = [RunSQL(ENDPOINTS)]
