"""Remembers what connectors are writing to tools until it is seen there, and when both sides were last compared anew."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

WRITINGS = """
CREATE TABLE coupled_writings (
    coupling     TEXT COLLATE "C" NOT NULL,
    milestone_id TEXT COLLATE "C" NOT NULL,
    external_id  TEXT COLLATE "C" NOT NULL,
    said         JSONB NOT NULL,
    is_answered  BOOLEAN NOT NULL,
    shown_at     TIMESTAMPTZ,
    written_at   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT coupled_writings_pkey PRIMARY KEY (coupling, milestone_id),
    CONSTRAINT coupled_writings_coupling FOREIGN KEY (coupling) REFERENCES couplings (name) ON DELETE CASCADE
);
COMMENT ON TABLE coupled_writings IS 'What is being written to items of tools, or was, and has not been seen in a listing since';
COMMENT ON COLUMN coupled_writings.external_id IS 'Empty while the item is being made';
COMMENT ON COLUMN coupled_writings.shown_at IS 'The time of the tool in its answer: a listing as of before is an old one';

ALTER TABLE couplings ADD COLUMN began_anew_at TIMESTAMPTZ;
COMMENT ON COLUMN couplings.began_anew_at IS 'When both sides were last compared anew, since the log was another one';
"""


class Migration(Before):
    release = "1.1.0"
    dependencies = [("escrow", "m0029_cuts_told")]
    operations: list[Operation] = [RunSQL(WRITINGS)]
