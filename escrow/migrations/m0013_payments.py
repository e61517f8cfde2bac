"""Notes each call to the payment provider with what it made there, what a payer has to do, and what waits for a person.

Every order's calls stand in a table of their own: the number of the attempt is in the key of the call, and what the provider
made of it is stored before money moves. Calls of before keep the order's id for a key, by which the sandbox still finds them;
those that it never received are called anew. Workers of before stand still meanwhile: what the sandbox received of one between
the reading of its books and the end of the step would be called a second time.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

CALLS = """
LOCK TABLE deposits, payment_orders, sandbox_charges IN ACCESS EXCLUSIVE MODE;

CREATE TABLE provider_calls (
    order_id    TEXT COLLATE "C" NOT NULL,
    step        TEXT NOT NULL,
    attempt     INT NOT NULL,
    called_at   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    provider_id TEXT COLLATE "C",
    is_over     BOOLEAN NOT NULL DEFAULT false,
    CONSTRAINT provider_calls_pkey PRIMARY KEY (order_id, step, attempt),
    CONSTRAINT provider_calls_order FOREIGN KEY (order_id) REFERENCES payment_orders (id),
    CONSTRAINT provider_calls_step CHECK (step IN ('PREPARE', 'REFUND', 'TRANSFER', 'PAYOUT', 'TAKE_BACK')),
    CONSTRAINT provider_calls_attempt CHECK (attempt >= 1)
);
COMMENT ON COLUMN provider_calls.called_at IS 'Real time: before the first call with this key';
COMMENT ON COLUMN provider_calls.provider_id IS 'What the provider calls what it made of it';
COMMENT ON COLUMN provider_calls.is_over IS 'Nothing comes of this key any more; what is still wanted gets another attempt';
CREATE INDEX provider_calls_by_provider_id ON provider_calls (provider_id) WHERE provider_id IS NOT NULL;

INSERT INTO provider_calls (order_id, step, attempt, called_at, provider_id)
    SELECT one.id, step, 1, called_at, charge.idempotency_key || suffix
    FROM payment_orders AS one CROSS JOIN LATERAL (VALUES
        ('DEPOSIT', 'PREPARE', ''), ('REFUND', 'REFUND', ''),
        ('PAYOUT', 'TRANSFER', '/transfer'), ('PAYOUT', 'PAYOUT', ''), ('PAYOUT', 'TAKE_BACK', '/take-back')
    ) AS of (kind, step, suffix)
    LEFT JOIN sandbox_charges AS charge ON charge.idempotency_key = one.id AND charge.received
    WHERE of.kind = one.kind AND called_at IS NOT NULL
        AND (step <> 'PAYOUT' OR charge.received) AND (step <> 'TAKE_BACK' OR (charge.received AND one.state = 'FAILED'));

ALTER TABLE payment_orders
    DROP COLUMN called_at,
    ADD COLUMN is_stuck BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN next_action TEXT;
COMMENT ON COLUMN payment_orders.is_stuck IS 'Nobody knows what became of it: a person finds out and says so';
COMMENT ON COLUMN payment_orders.next_action IS 'What the payer has to do, encrypted; NULL once nothing is waited for';
CREATE INDEX payment_orders_stuck ON payment_orders (id) WHERE is_stuck;

CREATE OR REPLACE FUNCTION forget_the_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.payment_token := NULL; NEW.next_action := NULL;
    RETURN NEW;
END $$;
CREATE FUNCTION look_at_it_soon() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.due_at := least(NEW.due_at, clock_timestamp());
    RETURN NEW;
END $$;
CREATE TRIGGER payment_orders_are_looked_at_when_they_turn BEFORE UPDATE ON payment_orders
    FOR EACH ROW WHEN (NEW.lease_token IS NULL AND NEW.due_at IS NOT DISTINCT FROM OLD.due_at AND (
        (NEW.kind = 'DEPOSIT' AND OLD.state = 'STARTED' AND NEW.state IN ('FAILED', 'ABANDONED'))
        OR (OLD.is_stuck AND NOT NEW.is_stuck AND NEW.state IN ('STARTED', 'FAILED'))))
    EXECUTE FUNCTION look_at_it_soon();
"""

ACTIONS = """
ALTER TABLE deposits
    ADD COLUMN action TEXT,
    ADD COLUMN clock_started_at TIMESTAMPTZ,
    ADD CONSTRAINT deposits_action CHECK (action IN ('REDIRECT', 'CONFIRM', 'BANK_TRANSFER'));
COMMENT ON COLUMN deposits.action IS 'What the payer has to do before the provider goes on';
COMMENT ON COLUMN deposits.clock_started_at IS 'When the clock that runs now began, if not with the deposit';
"""

SANDBOX = """
ALTER TABLE sandbox_charges RENAME COLUMN idempotency_key TO key;
ALTER TABLE sandbox_charges
    ADD COLUMN id TEXT COLLATE "C",
    ADD COLUMN order_id TEXT COLLATE "C",
    ADD COLUMN group_id TEXT COLLATE "C",
    ADD COLUMN is_forgotten BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN confirmed_at TIMESTAMPTZ,
    ADD COLUMN acts_at TIMESTAMPTZ,
    ADD COLUMN action TEXT,
    ADD COLUMN action_until TIMESTAMPTZ,
    ADD COLUMN is_cancelled BOOLEAN NOT NULL DEFAULT false,
    DROP CONSTRAINT sandbox_charges_pkey,
    DROP CONSTRAINT sandbox_charges_kind,
    DROP CONSTRAINT sandbox_charges_calls,
    ADD CONSTRAINT sandbox_charges_calls CHECK (calls >= 0),
    ADD CONSTRAINT sandbox_charges_kind CHECK (kind IN ('DEPOSIT', 'REFUND', 'TRANSFER', 'PAYOUT', 'TAKE_BACK'));
UPDATE sandbox_charges SET id = key, order_id = key, group_id = payment_orders.contract_id,
    confirmed_at = sandbox_charges.created_at
    FROM payment_orders WHERE payment_orders.id = key;
UPDATE sandbox_charges SET id = key, order_id = key, group_id = '', confirmed_at = created_at WHERE id IS NULL;
ALTER TABLE sandbox_charges
    ALTER COLUMN id SET NOT NULL, ALTER COLUMN order_id SET NOT NULL, ALTER COLUMN group_id SET NOT NULL,
    ADD CONSTRAINT sandbox_charges_pkey PRIMARY KEY (id);
INSERT INTO sandbox_charges
    (id, key, order_id, group_id, kind, amount_minor, currency, token, outcome, settles_at, notices, received, created_at, calls)
    SELECT id || suffix, key || suffix, order_id, group_id, step, amount_minor, currency, token, 'SUCCEEDS',
        created_at, '{}', received, created_at, calls
    FROM sandbox_charges CROSS JOIN LATERAL (VALUES ('TRANSFER', '/transfer'), ('TAKE_BACK', '/take-back')) AS of (step, suffix)
    WHERE kind = 'PAYOUT' AND received AND (step = 'TRANSFER' OR EXISTS (
        SELECT FROM payment_orders AS one WHERE one.id = sandbox_charges.order_id AND one.state = 'FAILED'));
CREATE UNIQUE INDEX sandbox_charges_by_key ON sandbox_charges (key) WHERE NOT is_forgotten;
CREATE INDEX sandbox_charges_by_order ON sandbox_charges (order_id);
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0012_rates")]
    operations: list[Operation] = [RunSQL(CALLS), RunSQL(ACTIONS), RunSQL(SANDBOX)]
