"""Creates external references and calendar tokens, and the columns and indexes by which lists and feeds find their rows.

The log's positions name the parties, so that a feed is one scan of an index for each role. Milestones do, too; contracts
and milestones hold the end of their running clock, and `titles` the words of their titles. A row of `titles` stands
apart, so that a command which changes no title touches nothing of it.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

REFERENCES = """
CREATE TABLE external_references (
    account_id   TEXT COLLATE "C" NOT NULL,
    subject_id   TEXT COLLATE "C" NOT NULL,
    system       TEXT COLLATE "C" NOT NULL,
    external_id  TEXT COLLATE "C" NOT NULL,
    url          TEXT,
    contract_id  TEXT COLLATE "C" NOT NULL,
    milestone_id TEXT COLLATE "C",
    set_at       TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT external_references_pkey PRIMARY KEY (account_id, subject_id, system),
    CONSTRAINT external_references_name_one_thing UNIQUE (account_id, system, external_id),
    CONSTRAINT external_references_account FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT external_references_contract FOREIGN KEY (contract_id) REFERENCES contracts (id),
    CONSTRAINT external_references_milestone FOREIGN KEY (milestone_id) REFERENCES milestones (id),
    CONSTRAINT external_references_subject CHECK (subject_id = coalesce(milestone_id, contract_id)),
    CONSTRAINT external_references_system CHECK (system ~ '^[a-z0-9][a-z0-9._-]{0,49}$')
);
COMMENT ON TABLE external_references IS 'What an account''s programs call a contract or a milestone; seen by that account alone';

CREATE TABLE calendar_tokens (
    owner_id     TEXT COLLATE "C" NOT NULL,
    account_id   TEXT COLLATE "C" NOT NULL,
    member_id    TEXT COLLATE "C",
    token_sha256 BYTEA NOT NULL,
    contract_ids TEXT[],
    created_at   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT calendar_tokens_pkey PRIMARY KEY (owner_id),
    CONSTRAINT calendar_tokens_token_is_unique UNIQUE (token_sha256),
    CONSTRAINT calendar_tokens_account FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT calendar_tokens_member FOREIGN KEY (member_id) REFERENCES members (id),
    CONSTRAINT calendar_tokens_owner CHECK (owner_id = coalesce(member_id, account_id)),
    CONSTRAINT calendar_tokens_token_is_a_digest CHECK (octet_length(token_sha256) = 32)
);
COMMENT ON COLUMN calendar_tokens.owner_id IS 'The member or, for a key without one, the account: each has one token';
"""

FEED = """
ALTER TABLE log_positions
    ADD COLUMN client_id TEXT COLLATE "C",
    ADD COLUMN freelancer_id TEXT COLLATE "C";
COMMENT ON COLUMN log_positions.client_id IS 'Of the contract that the event belongs to; NULL for an event of an account';
ALTER TABLE log_positions DISABLE TRIGGER log_positions_are_immutable;
UPDATE log_positions SET client_id = contracts.client_id, freelancer_id = contracts.freelancer_id
    FROM contracts WHERE contracts.id = stream_id;
ALTER TABLE log_positions ENABLE TRIGGER log_positions_are_immutable;
CREATE INDEX log_positions_by_client ON log_positions (client_id, position) WHERE client_id IS NOT NULL;
CREATE INDEX log_positions_by_freelancer ON log_positions (freelancer_id, position) WHERE freelancer_id IS NOT NULL;
"""

LISTS = """
ALTER TABLE contracts ADD COLUMN deadline_at TIMESTAMPTZ;
COMMENT ON COLUMN contracts.deadline_at IS 'When the first of its clocks ends, as `nextDeadline` shows it';
UPDATE contracts SET deadline_at = clock.due_at FROM (
    SELECT contract_id, min(due_at) AS due_at FROM deadlines WHERE kind <> 'REMINDER' GROUP BY contract_id
) AS clock WHERE clock.contract_id = contracts.id;

ALTER TABLE milestones
    ADD COLUMN client_id TEXT COLLATE "C",
    ADD COLUMN freelancer_id TEXT COLLATE "C",
    ADD COLUMN deadline_at TIMESTAMPTZ;
COMMENT ON COLUMN milestones.deadline_at IS 'When the first of the clocks that it waits for ends, as `nextDeadline` shows it';
UPDATE milestones SET client_id = contracts.client_id, freelancer_id = contracts.freelancer_id, deadline_at = coalesce(
    milestones.review_due_at, (
        SELECT due_at FROM deposits WHERE deposits.id = milestones.deposit_id AND milestones.state = 'FUNDING'))
    FROM contracts WHERE contracts.id = milestones.contract_id;
ALTER TABLE milestones
    ALTER COLUMN client_id SET NOT NULL,
    ALTER COLUMN freelancer_id SET NOT NULL;

DROP INDEX contracts_by_parties;
CREATE INDEX contracts_by_parties ON contracts (client_id, freelancer_id, id);
CREATE INDEX contracts_by_client_state ON contracts (client_id, state, id);
CREATE INDEX contracts_by_freelancer_state ON contracts (freelancer_id, state, id);
CREATE INDEX contracts_by_client_update ON contracts (client_id, updated_at, id);
CREATE INDEX contracts_by_freelancer_update ON contracts (freelancer_id, updated_at, id);
CREATE INDEX contracts_by_client_deadline ON contracts (client_id, deadline_at, id) WHERE deadline_at IS NOT NULL;
CREATE INDEX contracts_by_freelancer_deadline ON contracts (freelancer_id, deadline_at, id)
    WHERE deadline_at IS NOT NULL;
CREATE INDEX contracts_by_deadline ON contracts (deadline_at, id) WHERE deadline_at IS NOT NULL;
CREATE INDEX milestones_by_client_due ON milestones (client_id, due_on, id);
CREATE INDEX milestones_by_freelancer_due ON milestones (freelancer_id, due_on, id);
CREATE INDEX milestones_by_client_state ON milestones (client_id, state, due_on, id);
CREATE INDEX milestones_by_freelancer_state ON milestones (freelancer_id, state, due_on, id);
CREATE INDEX milestones_by_client_update ON milestones (client_id, updated_at, id);
CREATE INDEX milestones_by_freelancer_update ON milestones (freelancer_id, updated_at, id);
CREATE INDEX milestones_by_client_deadline ON milestones (client_id, deadline_at, id) WHERE deadline_at IS NOT NULL;
CREATE INDEX milestones_by_freelancer_deadline ON milestones (freelancer_id, deadline_at, id)
    WHERE deadline_at IS NOT NULL;
CREATE INDEX milestones_by_deadline ON milestones (deadline_at, id) WHERE deadline_at IS NOT NULL;
"""

TITLES = r"""
CREATE FUNCTION title_words(title TEXT) RETURNS TEXT[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT left(word, 60)), '{}')
    FROM regexp_split_to_table(lower(title COLLATE "pg_c_utf8"), '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+') AS word
    WHERE word <> ''
$$;
COMMENT ON FUNCTION title_words IS 'Its words in lower case: runs of ASCII letters and digits and of anything beyond ASCII';

CREATE FUNCTION title_lexemes(kind TEXT, client_id TEXT, freelancer_id TEXT, title TEXT) RETURNS TSVECTOR
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_to_tsvector(coalesce(array_agg(kind || ':' || owner || ':' || word), '{}'))
    FROM unnest(title_words(title)) AS word, unnest(ARRAY['', client_id, freelancer_id]) AS owner
$$;

CREATE FUNCTION title_search(kind TEXT, owner TEXT, said TEXT) RETURNS TSQUERY
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(string_agg('''' || kind || ':' || owner || ':' || word || ''':*', ' & '), '')::tsquery
    FROM unnest(title_words(said)) AS word
$$;
COMMENT ON FUNCTION title_search IS 'Finds the titles that have, for each word that was said, one that begins so';

CREATE TABLE titles (
    subject_id TEXT COLLATE "C" NOT NULL,
    words      TSVECTOR NOT NULL,
    CONSTRAINT titles_pkey PRIMARY KEY (subject_id)
);
COMMENT ON TABLE titles IS 'The words of the titles of contracts and milestones, each under its parties and under nobody';
-- A search reads all that waits to be sorted in: 32 pages at most, not 512.
CREATE INDEX titles_by_word ON titles USING gin (words) WITH (gin_pending_list_limit = 256);
INSERT INTO titles SELECT id, title_lexemes('ctr', client_id, freelancer_id, title) FROM contracts;
INSERT INTO titles SELECT id, title_lexemes('mil', client_id, freelancer_id, title) FROM milestones;

CREATE FUNCTION keep_title() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO titles VALUES (NEW.id, title_lexemes(left(NEW.id, 3), NEW.client_id, NEW.freelancer_id, NEW.title))
        ON CONFLICT (subject_id) DO UPDATE SET words = EXCLUDED.words;
    RETURN NULL;
END $$;
CREATE TRIGGER contracts_title_is_kept AFTER INSERT ON contracts FOR EACH ROW EXECUTE FUNCTION keep_title();
CREATE TRIGGER contracts_title_is_kept_up AFTER UPDATE ON contracts
    FOR EACH ROW WHEN (OLD.title IS DISTINCT FROM NEW.title) EXECUTE FUNCTION keep_title();
CREATE TRIGGER milestones_title_is_kept AFTER INSERT ON milestones FOR EACH ROW EXECUTE FUNCTION keep_title();
CREATE TRIGGER milestones_title_is_kept_up AFTER UPDATE ON milestones
    FOR EACH ROW WHEN (OLD.title IS DISTINCT FROM NEW.title) EXECUTE FUNCTION keep_title();
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0004_endpoints")]
    operations: list[Operation] = [RunSQL(part) for part in (REFERENCES, FEED, LISTS, TITLES)]
