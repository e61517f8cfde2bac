"""Takes away what the tables did for processes of former releases: triggers, functions, defaults, and keys beside wider ones.

The keys that go are those that no statement looks anything up by; the wider key that stays beside each refuses what it refused.
Nothing is wrong if a statement finds that it was carried out already. Tables are taken in the order in which commands take them,
the log's last: else a command would wait for what this step has while it waits for what the command has, and so would all.
"""

from typing import Final

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import After

PROVIDERS: Final = """
DROP TRIGGER IF EXISTS provider_calls_know_their_contract ON provider_calls;
ALTER TABLE provider_calls ALTER COLUMN provider DROP DEFAULT;
ALTER TABLE provider_movements ALTER COLUMN provider DROP DEFAULT;
"""

KEYS: Final = """
ALTER TABLE deposits DROP CONSTRAINT IF EXISTS deposits_order_is_its_own;
ALTER TABLE submissions DROP CONSTRAINT IF EXISTS submissions_are_numbered;
DROP INDEX IF EXISTS refund_requests_one_holds_a_milestone;
DROP INDEX IF EXISTS disputes_one_holds_a_milestone;
"""

LOG: Final = """
DROP TRIGGER IF EXISTS log_pending_knows_its_stream ON log_pending;
ALTER TABLE log_pending DROP CONSTRAINT IF EXISTS log_pending_once;
DROP TRIGGER IF EXISTS texts_know_their_stream ON texts;
DROP FUNCTION IF EXISTS know_the_stream(), know_the_contract(), title_search(TEXT, TEXT, TEXT);
"""

ERASURE: Final = """
CREATE OR REPLACE FUNCTION allow_only_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.stream_id, NEW.event_id, NEW.field) IS DISTINCT FROM (OLD.stream_id, OLD.event_id, OLD.field)
            OR NEW.body IS NOT NULL OR OLD.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'texts can be erased, not changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

TITLES: Final = """
CREATE OR REPLACE FUNCTION keep_title() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE of_contract TEXT := CASE WHEN left(NEW.id, 3) = 'ctr' THEN NEW.id ELSE to_jsonb(NEW) ->> 'contract_id' END;
BEGIN
    IF EXISTS (SELECT FROM titles WHERE subject_id = NEW.id AND contract_id = of_contract
            AND title_hash = hashtextextended(NEW.title, 0)) THEN
        RETURN NULL; -- they are this title's
    END IF;
    INSERT INTO titles (contract_id, subject_id, words, title_hash, edition)
        VALUES (of_contract, NEW.id, title_lexemes(left(NEW.id, 3), NEW.client_id, NEW.freelancer_id, NEW.title),
            hashtextextended(NEW.title, 0), 0)
        ON CONFLICT (contract_id, subject_id) DO UPDATE
        SET words = EXCLUDED.words, title_hash = EXCLUDED.title_hash, edition = EXCLUDED.edition;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION keep_title IS 'Makes the words of a title that came without: it was erased';
COMMENT ON COLUMN titles.contract_id IS NULL;
ALTER TABLE titles DROP CONSTRAINT IF EXISTS titles_contract_id_not_null,
    ADD CONSTRAINT titles_contract_id_not_null NOT NULL contract_id NOT VALID;
"""


class Migration(After):
    release = "1.1.0"
    excused = {
        "allow_only_erasure": "refuses what it did; rows without a stream, which it let through once, are no more",
        "keep_title": "does what it did for every row that says whose it is, as all do",
    }
    dependencies = [("escrow", "m0033_former_1_titles")]
    operations: list[Operation] = [RunSQL(sql) for sql in (PROVIDERS, KEYS, LOG, ERASURE, TITLES)]
