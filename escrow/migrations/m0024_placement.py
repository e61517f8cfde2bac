"""Gives every key of a contract's tables the contract: they can be distributed by it, and foreign keys stay inside of it.

Nothing is taken away that the former release names. Its keys stay beside the wider ones, its rows get what they lack by
triggers, and foreign keys are exchanged for stricter ones. Indexes that a wider key makes needless go. The order of things:
columns and triggers; rows that are there; indexes; foreign keys.

It is one transaction, in which commands wait: measured, some seconds for a million events. Who can't wait builds the indexes
of `KEYS` beforehand, `CONCURRENTLY` and under these names; they are not built twice.
"""

from typing import Final

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

COLUMNS: Final = """
ALTER TABLE texts ADD COLUMN stream_id TEXT COLLATE "C";
ALTER TABLE log_pending ADD COLUMN stream_id TEXT COLLATE "C";
ALTER TABLE provider_calls ADD COLUMN contract_id TEXT COLLATE "C";
ALTER TABLE titles ADD COLUMN contract_id TEXT COLLATE "C";
COMMENT ON COLUMN titles.contract_id IS 'NULL only within a statement of an earlier release';

CREATE FUNCTION know_the_stream() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.stream_id := (SELECT stream_id FROM events WHERE id = NEW.event_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION know_the_stream IS 'Fills in what processes of earlier releases don''t write';
CREATE TRIGGER texts_know_their_stream BEFORE INSERT ON texts
    FOR EACH ROW WHEN (NEW.stream_id IS NULL) EXECUTE FUNCTION know_the_stream();
CREATE TRIGGER log_pending_knows_its_stream BEFORE INSERT ON log_pending
    FOR EACH ROW WHEN (NEW.stream_id IS NULL) EXECUTE FUNCTION know_the_stream();

CREATE FUNCTION know_the_contract() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.contract_id := (SELECT contract_id FROM payment_orders WHERE id = NEW.order_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION know_the_contract IS 'Fills in what processes of earlier releases don''t write';
CREATE TRIGGER provider_calls_know_their_contract BEFORE INSERT ON provider_calls
    FOR EACH ROW WHEN (NEW.contract_id IS NULL) EXECUTE FUNCTION know_the_contract();

CREATE OR REPLACE FUNCTION allow_only_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.stream_id IS NULL AND (NEW.event_id, NEW.field, NEW.salt, NEW.body, NEW.erased_at)
            IS NOT DISTINCT FROM (OLD.event_id, OLD.field, OLD.salt, OLD.body, OLD.erased_at) THEN
        RETURN NEW; -- it gets the stream of its event, as the foreign key holds it to
    END IF;
    IF (NEW.stream_id, NEW.event_id, NEW.field) IS DISTINCT FROM (OLD.stream_id, OLD.event_id, OLD.field)
            OR NEW.body IS NOT NULL OR OLD.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'texts can be erased, not changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION keep_title() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE of_contract TEXT := CASE WHEN left(NEW.id, 3) = 'ctr' THEN NEW.id ELSE to_jsonb(NEW) ->> 'contract_id' END;
BEGIN
    IF EXISTS (SELECT FROM titles WHERE subject_id = NEW.id AND contract_id = of_contract
            AND title_hash = hashtextextended(NEW.title, 0)) THEN
        RETURN NULL; -- the same statement wrote the words
    END IF;
    UPDATE titles SET contract_id = of_contract
        WHERE subject_id = NEW.id AND contract_id IS NULL AND title_hash = hashtextextended(NEW.title, 0);
    IF FOUND THEN
        RETURN NULL; -- an earlier release did
    END IF;
    INSERT INTO titles (contract_id, subject_id, words, title_hash, edition)
        VALUES (of_contract, NEW.id, title_lexemes(left(NEW.id, 3), NEW.client_id, NEW.freelancer_id, NEW.title),
            hashtextextended(NEW.title, 0), 0)
        ON CONFLICT (contract_id, subject_id) DO UPDATE
        SET words = EXCLUDED.words, title_hash = EXCLUDED.title_hash, edition = EXCLUDED.edition;
    RETURN NULL;
END $$;
"""

ROWS: Final = """
UPDATE log_pending SET stream_id = event.stream_id FROM events AS event WHERE event.id = log_pending.event_id;
UPDATE texts SET stream_id = event.stream_id FROM events AS event WHERE event.id = texts.event_id;
UPDATE provider_calls SET contract_id = one.contract_id FROM payment_orders AS one WHERE one.id = provider_calls.order_id;
UPDATE titles SET contract_id = subject_id WHERE subject_id LIKE 'ctr\\_%';
UPDATE titles SET contract_id = one.contract_id FROM milestones AS one WHERE one.id = titles.subject_id;
ALTER TABLE texts ALTER COLUMN stream_id SET NOT NULL;
ALTER TABLE log_pending ALTER COLUMN stream_id SET NOT NULL;
ALTER TABLE provider_calls ALTER COLUMN contract_id SET NOT NULL;
"""

KEYS: Final = {
    "milestones_in_contract": "milestones (contract_id, id)",
    "deposits_in_contract": "deposits (contract_id, id)",
    "deposits_order_in_contract": "deposits (contract_id, order_id)",
    "submissions_in_contract": "submissions (contract_id, id)",
    "submissions_numbers_in_contract": "submissions (contract_id, milestone_id, number)",
    "payment_orders_in_contract": "payment_orders (contract_id, id)",
    "provider_calls_in_contract": "provider_calls (contract_id, order_id, step, attempt)",
    "balances_in_contract": "balances (contract_id, account, currency)",
    "refund_requests_in_contract": "refund_requests (contract_id, id)",
    "refund_requests_one_holds_in_contract": "refund_requests (contract_id, milestone_id) WHERE state = 'OPEN'",
    "disputes_in_contract": "disputes (contract_id, id)",
    "disputes_one_holds_in_contract": "disputes (contract_id, milestone_id) WHERE state IN ('OPEN', 'MEDIATION')",
    "evidence_in_contract": "evidence (contract_id, dispute_id, side, number)",
    "change_requests_in_contract": "change_requests (contract_id, id)",
    "costs_in_contract": "costs (contract_id, id)",
    "transfers_in_contract": "transfers (contract_id, id)",
    "titles_in_contract": "titles (contract_id, subject_id)",
    "events_in_contract": "events (stream_id, id)",
    "texts_in_contract": "texts (stream_id, event_id, field)",
    "log_pending_in_contract": "log_pending (stream_id, serial)",
    "log_pending_once_in_contract": "log_pending (stream_id, event_id)",
}
"""The unique keys that hold within a contract, each beside the narrower one that `escrow.placement` names with it."""

NEEDLESS: Final = (
    "deposits_by_contract",
    "submissions_by_contract",
    "payment_orders_by_contract",
    "balances_by_contract",
    "refund_requests_by_contract",
    "disputes_by_contract",
    "evidence_by_contract",
    "change_requests_by_contract",
    "costs_by_contract",
    "transfers_by_contract",
)
"""Indexes that begin as a wider key does, and nobody names."""

FOREIGN: Final = (
    ("milestones", "milestones_deposit", "deposit_id", "deposits (contract_id, id)"),
    ("milestones", "milestones_bonus_deposit", "bonus_deposit_id", "deposits (contract_id, id)"),
    ("deposits", "deposits_order", "order_id", "payment_orders (contract_id, id)"),
    ("submissions", "submissions_milestone", "milestone_id", "milestones (contract_id, id)"),
    ("payment_orders", "payment_orders_deposit", "deposit_id", "deposits (contract_id, id)"),
    ("provider_calls", "provider_calls_order", "order_id", "payment_orders (contract_id, id)"),
    ("refund_requests", "refund_requests_milestone", "milestone_id", "milestones (contract_id, id)"),
    ("disputes", "disputes_milestone", "milestone_id", "milestones (contract_id, id)"),
    ("disputes", "disputes_answered_request", "answers_refund_id", "refund_requests (contract_id, id)"),
    ("evidence", "evidence_dispute", "dispute_id", "disputes (contract_id, id)"),
    ("updates", "updates_milestone", "milestone_id", "milestones (contract_id, id)"),
    ("transfers", "transfers_event", "event_id", "events (stream_id, id)"),
    ("texts", "texts_event", "event_id", "events (stream_id, id)"),
    ("log_pending", "log_pending_event", "event_id", "events (stream_id, id)"),
    ("log_positions", "log_positions_event", "event_id", "events (stream_id, id)"),
    ("external_references", "external_references_milestone", "milestone_id", "milestones (contract_id, id)"),
)
"""Table, constraint, column, and the key that it is to lead to: now together with the contract."""


def _keys() -> str:
    made = [f"CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {key};" for name, key in KEYS.items()]
    return "\n".join([*made, *(f"DROP INDEX {name};" for name in NEEDLESS)])


def _foreign(table: str, name: str, column: str, key: str) -> str:
    owner = "stream_id" if table in ("texts", "log_pending", "log_positions") else "contract_id"
    return f"""ALTER TABLE {table} DROP CONSTRAINT {name},
        ADD CONSTRAINT {name} FOREIGN KEY ({owner}, {column}) REFERENCES {key};"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0021_providers")]
    operations: list[Operation] = [
        RunSQL(COLUMNS),
        RunSQL(ROWS),
        RunSQL(_keys()),
        *(RunSQL(_foreign(*one)) for one in FOREIGN),
    ]
