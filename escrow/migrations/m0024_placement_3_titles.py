"""Has the words of titles kept with their contract, also those that a former release writes without it."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

KEPT = """
CREATE OR REPLACE FUNCTION keep_title() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE of_contract TEXT := CASE WHEN left(NEW.id, 3) = 'ctr' THEN NEW.id ELSE to_jsonb(NEW) ->> 'contract_id' END;
BEGIN
    -- An earlier release wrote the words, now or before, and not whose they are.
    UPDATE titles SET contract_id = of_contract WHERE subject_id = NEW.id AND contract_id IS NULL;
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
"""


class Migration(Before):
    release = "1.0.0"
    excused = {"keep_title": "keeps what it did, and the contract beside it"}
    dependencies = [("escrow", "m0024_placement_2_keys")]
    operations: list[Operation] = [RunSQL(KEPT)]
