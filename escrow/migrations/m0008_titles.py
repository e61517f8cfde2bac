"""Titles are found by words that the program makes, in every script; the database keeps them, and forgets with the title.

The words that SQL made of titles stay until `earnest migrate` has made them anew, some hundreds at a time, after this step.
`title_words` and `title_search` stay for the processes of earlier releases that still run beside those of this one.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

TITLES = """
ALTER TABLE titles
    ADD COLUMN title_hash BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN edition SMALLINT NOT NULL DEFAULT 0;
COMMENT ON COLUMN titles.title_hash IS 'Of which title these are the words';
COMMENT ON COLUMN titles.edition IS 'By which rules they were made; 0 by those of SQL';
CREATE INDEX titles_by_edition ON titles (edition);
"""

LEXEMES = """
CREATE FUNCTION title_lexemes(kind TEXT, client_id TEXT, freelancer_id TEXT, words TEXT[]) RETURNS TSVECTOR
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_to_tsvector(coalesce(array_agg(kind || ':' || owner || ':' || word), '{}'))
    FROM unnest(words) AS word, unnest(ARRAY['', client_id, freelancer_id]) AS owner
$$;
"""

KEPT = """
CREATE OR REPLACE FUNCTION keep_title() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM titles WHERE subject_id = NEW.id AND title_hash = hashtextextended(NEW.title, 0)) THEN
        RETURN NULL; -- the same statement wrote the words
    END IF;
    INSERT INTO titles (subject_id, words, title_hash, edition)
        VALUES (NEW.id, title_lexemes(left(NEW.id, 3), NEW.client_id, NEW.freelancer_id, NEW.title),
            hashtextextended(NEW.title, 0), 0)
        ON CONFLICT (subject_id) DO UPDATE
        SET words = EXCLUDED.words, title_hash = EXCLUDED.title_hash, edition = EXCLUDED.edition;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION keep_title IS 'Makes the words of a title that came without: from an earlier release, or erased';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0007_reversals")]
    operations: list[Operation] = [RunSQL(part) for part in (TITLES, LEXEMES, KEPT)]
