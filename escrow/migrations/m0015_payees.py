"""Keeps what the payment provider says of payees: whether they can be paid, and what is missing."""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

PAYEES = """
CREATE TABLE payees (
    account_id  TEXT COLLATE "C" NOT NULL,
    provider    TEXT COLLATE "C" NOT NULL,
    payee_id    TEXT COLLATE "C",
    can_be_paid BOOLEAN NOT NULL,
    missing     TEXT[] NOT NULL,
    since       TIMESTAMPTZ NOT NULL,
    until       TIMESTAMPTZ,
    looked_at   TIMESTAMPTZ,
    due_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT payees_pkey PRIMARY KEY (account_id),
    CONSTRAINT payees_account FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT payees_are_known_to_be_paid CHECK (payee_id IS NOT NULL OR NOT can_be_paid)
);
COMMENT ON COLUMN payees.payee_id IS 'What the provider calls it; NULL until it was made there';
COMMENT ON COLUMN payees.until IS 'Real time: when something missing has the payee paid no more';
COMMENT ON COLUMN payees.looked_at IS 'Real time: when the provider was last asked';
COMMENT ON COLUMN payees.due_at IS 'Real time: when it is asked next';
CREATE INDEX payees_due ON payees (due_at);
CREATE INDEX payees_by_name ON payees (payee_id);
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0014_books")]
    operations: list[Operation] = [RunSQL(PAYEES)]
