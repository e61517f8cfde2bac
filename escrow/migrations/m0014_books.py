"""Keeps reversals as the provider tells of them, its movements with what they cost, and where its books differ from ours."""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

REVERSALS = """
ALTER TABLE deposits
    ADD COLUMN reversals       JSONB NOT NULL DEFAULT '[]',
    ADD COLUMN restored_minor  BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN evidence_due_at TIMESTAMPTZ,
    DROP CONSTRAINT deposits_reversal,
    ADD CONSTRAINT deposits_reversal CHECK (reversal IN ('OPEN', 'FORFEITED', 'WON', 'WITHDRAWN', 'LOST')),
    ADD CONSTRAINT deposits_restored CHECK (restored_minor BETWEEN 0 AND forfeited_minor),
    ADD CONSTRAINT deposits_evidence_is_for_a_reversal CHECK (evidence_due_at IS NULL OR reversal IS NOT NULL);
COMMENT ON COLUMN deposits.reversals IS 'Each time the provider took it back; empty for what was booked before they were kept';
COMMENT ON COLUMN deposits.restored_minor IS 'What milestones gave up, came again and went to the client';
COMMENT ON COLUMN deposits.evidence_due_at IS 'Real time: until when the provider takes evidence';
"""

COSTS = """
CREATE TABLE costs (
    id              TEXT COLLATE "C" NOT NULL,
    contract_id     TEXT COLLATE "C" NOT NULL,
    fee_minor       BIGINT,
    fee_currency    TEXT COLLATE "C",
    is_fee_returned BOOLEAN NOT NULL,
    given_minor     BIGINT,
    given_currency  TEXT COLLATE "C",
    got_minor       BIGINT,
    got_currency    TEXT COLLATE "C",
    booked_at       TIMESTAMPTZ NOT NULL,
    CONSTRAINT costs_pkey PRIMARY KEY (id),
    CONSTRAINT costs_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT costs_are_positive CHECK (fee_minor > 0 AND given_minor > 0 AND got_minor > 0),
    CONSTRAINT costs_have_currencies CHECK (
        (fee_minor IS NULL) = (fee_currency IS NULL) AND (given_minor IS NULL) = (given_currency IS NULL)
        AND (got_minor IS NULL) = (got_currency IS NULL)),
    CONSTRAINT costs_exchanges_have_two_sides CHECK (
        (given_minor IS NULL) = (got_minor IS NULL) AND (given_minor IS NULL OR given_currency <> got_currency)),
    CONSTRAINT costs_say_something CHECK (fee_minor IS NOT NULL OR given_minor IS NOT NULL)
);
COMMENT ON COLUMN costs.id IS 'What the provider calls the movement that it is about';
CREATE INDEX costs_by_contract ON costs (contract_id);
"""

RECONCILIATION = """
CREATE TABLE provider_movements (
    id               TEXT COLLATE "C" NOT NULL,
    kind             TEXT NOT NULL,
    at               TIMESTAMPTZ NOT NULL,
    amount_minor     BIGINT NOT NULL,
    fee_minor        BIGINT NOT NULL,
    net_minor        BIGINT NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL,
    changed_minor    BIGINT,
    changed_currency TEXT COLLATE "C",
    order_id         TEXT COLLATE "C",
    contract_id      TEXT COLLATE "C",
    CONSTRAINT provider_movements_pkey PRIMARY KEY (id),
    CONSTRAINT provider_movements_add_up CHECK (net_minor = amount_minor - fee_minor),
    CONSTRAINT provider_movements_changed CHECK ((changed_minor IS NULL) = (changed_currency IS NULL))
);
COMMENT ON COLUMN provider_movements.at IS 'Real time, as the provider says';
COMMENT ON COLUMN provider_movements.contract_id IS 'As the provider keeps it; NULL for what belongs to no contract';
CREATE INDEX provider_movements_by_contract ON provider_movements (contract_id);
CREATE INDEX provider_movements_by_order ON provider_movements (order_id);
CREATE INDEX provider_movements_by_time ON provider_movements (at);

CREATE TABLE reconciliation_differences (
    kind           TEXT NOT NULL,
    subject        TEXT COLLATE "C" NOT NULL,
    currency       TEXT COLLATE "C" NOT NULL,
    provider_minor BIGINT NOT NULL,
    ledger_minor   BIGINT NOT NULL,
    found_at       TIMESTAMPTZ NOT NULL,
    CONSTRAINT reconciliation_differences_pkey PRIMARY KEY (kind, subject, currency),
    CONSTRAINT reconciliation_differences_kind CHECK (kind IN ('CONTRACT', 'MOVEMENT', 'BALANCE')),
    CONSTRAINT reconciliation_differences_differ CHECK (provider_minor <> ledger_minor)
);
ALTER TABLE deployment ADD COLUMN reconciled_at TIMESTAMPTZ;
COMMENT ON COLUMN deployment.reconciled_at IS 'Real time: when the provider''s books were last compared with ours';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0013_payments")]
    operations: list[Operation] = [RunSQL(REVERSALS), RunSQL(COSTS), RunSQL(RECONCILIATION)]
