"""Adds the contract, or the stream, to what lacks it, so that every key of a contract's tables can contain it.

Six steps give contracts' tables keys by which they can be distributed (`escrow.placement`): columns, keys, titles, rows,
foreign keys, and their validation. Nothing is taken away that the former release names: its keys stay beside the wider ones,
triggers fill in what it doesn't write, and foreign keys are exchanged for stricter ones.
"""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

COLUMNS = """
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
"""


class Migration(Before):
    release = "1.0.0"
    excused = {
        "texts_know_their_stream": "fills in what the former release leaves out, and nothing else",
        "log_pending_knows_its_stream": "fills in what the former release leaves out, and nothing else",
        "provider_calls_know_their_contract": "fills in what the former release leaves out, and nothing else",
        "allow_only_erasure": "allows what it did; beside that a text gets the stream of its event, once",
    }
    dependencies = [("escrow", "m0022_seen")]
    operations: list[Operation] = [RunSQL(COLUMNS)]
