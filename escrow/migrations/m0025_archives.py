"""Creates the list of what was written to an archive: a row for each segment, in the order of its chain."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

ARCHIVES = """
CREATE TABLE archives (
    kind        TEXT COLLATE "C" NOT NULL,
    number      BIGINT NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    row_count   BIGINT NOT NULL,
    first_key   TEXT COLLATE "C" NOT NULL,
    last_key    TEXT COLLATE "C" NOT NULL,
    digest      TEXT COLLATE "C" NOT NULL,
    archived_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT archives_pkey PRIMARY KEY (kind, number),
    CONSTRAINT archives_kind CHECK (kind IN ('log', 'deliveries')),
    CONSTRAINT archives_number CHECK (number >= 1 AND row_count >= 1)
);
COMMENT ON TABLE archives IS 'Segments of the archive: Parquet files that hold rows for good';
COMMENT ON COLUMN archives.first_key IS 'A position of the log, or the id of a delivery; so is last_key';
COMMENT ON COLUMN archives.digest IS 'Of the digest of the segment before and of every row';
"""


class Migration(Before):
    release = "1.0.0"
    dependencies = [("escrow", "m0024_placement_6_validated")]
    operations: list[Operation] = [RunSQL(ARCHIVES)]
