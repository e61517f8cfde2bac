"""Creates the tables of couplings with project tools. They are the connectors' own: nothing of the log is in them."""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

COUPLINGS = """
CREATE TABLE couplings (
    name         TEXT COLLATE "C" NOT NULL,
    tool         TEXT COLLATE "C" NOT NULL,
    contract_id  TEXT COLLATE "C" NOT NULL,
    earnest_url  TEXT NOT NULL,
    place        JSONB NOT NULL,
    treaty       JSONB NOT NULL,
    secrets      BYTEA NOT NULL,
    poll_seconds INTEGER NOT NULL,
    state        TEXT COLLATE "C" NOT NULL,
    believes     BOOLEAN NOT NULL DEFAULT false,
    cursor       TEXT,
    created_at   TIMESTAMPTZ NOT NULL,
    due_at       TIMESTAMPTZ NOT NULL,
    rung_at      TIMESTAMPTZ,
    read_at      TIMESTAMPTZ,
    settled_at   TIMESTAMPTZ,
    failures     INTEGER NOT NULL DEFAULT 0,
    problem      TEXT,
    writes       BIGINT NOT NULL DEFAULT 0,
    lease_token  TEXT COLLATE "C",
    leased_until TIMESTAMPTZ,
    CONSTRAINT couplings_pkey PRIMARY KEY (name),
    CONSTRAINT couplings_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,49}$'),
    CONSTRAINT couplings_state CHECK (state IN ('ACTIVE', 'PAUSED')),
    CONSTRAINT couplings_poll CHECK (poll_seconds > 0),
    CONSTRAINT couplings_lease CHECK ((lease_token IS NULL) = (leased_until IS NULL))
);
COMMENT ON TABLE couplings IS 'Contracts that are kept the same as a project of a tool';
COMMENT ON COLUMN couplings.name IS 'Also what Earnest calls the tool in external references';
COMMENT ON COLUMN couplings.secrets IS 'Encrypted: the key to Earnest, the token of the tool, the secret of its webhooks';
COMMENT ON COLUMN couplings.cursor IS 'Of the sync feed, up to which both sides agreed';
COMMENT ON COLUMN couplings.settled_at IS 'When both sides were last seen to say the same';
COMMENT ON COLUMN couplings.believes IS 'Whether the next round takes it for meant if most items are gone';
CREATE INDEX couplings_due ON couplings (due_at) WHERE state = 'ACTIVE';

CREATE TABLE coupled_pairs (
    coupling     TEXT COLLATE "C" NOT NULL,
    milestone_id TEXT COLLATE "C" NOT NULL,
    external_id  TEXT COLLATE "C" NOT NULL,
    agreed       JSONB NOT NULL,
    CONSTRAINT coupled_pairs_pkey PRIMARY KEY (coupling, milestone_id),
    CONSTRAINT coupled_pairs_coupling FOREIGN KEY (coupling) REFERENCES couplings (name) ON DELETE CASCADE
);
COMMENT ON TABLE coupled_pairs IS 'Which item of a tool is which milestone, and what both said when they last agreed';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0019_sessions")]
    operations: list[Operation] = [RunSQL(COUPLINGS)]
