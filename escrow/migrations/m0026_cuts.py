"""Remembers where the log was cut by a restore or a standby that took over, and under which name the provider knows an order.

What is there now was written by this server and cut never: the one row of the beginning says so.
"""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

CUTS = """
CREATE TABLE log_cuts (
    first_position BIGINT NOT NULL,
    kept_position  BIGINT NOT NULL,
    kept_at        TIMESTAMPTZ,
    server         TEXT NOT NULL,
    cut_at         TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    books_due_at   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp() + interval '20 seconds',
    books_read_at  TIMESTAMPTZ,
    CONSTRAINT log_cuts_pkey PRIMARY KEY (first_position),
    CONSTRAINT log_cuts_leave_nothing_out CHECK (first_position > kept_position AND kept_position >= 0)
);
COMMENT ON TABLE log_cuts IS 'Since when another server gives positions: what lay after the kept one there is void';
COMMENT ON COLUMN log_cuts.first_position IS 'The first that is given after the cut';
COMMENT ON COLUMN log_cuts.kept_position IS 'The last one before it that stands for an event; 0 if there is none';
COMMENT ON COLUMN log_cuts.kept_at IS 'Real time: everything until then was kept, perhaps more; NULL for the beginning';
COMMENT ON COLUMN log_cuts.server IS 'The system identifier of PostgreSQL and its timeline';
COMMENT ON COLUMN log_cuts.cut_at IS 'Real time: when it was noticed, after whatever was lost';
COMMENT ON COLUMN log_cuts.books_due_at IS 'Real time: when no worker of before it calls the provider any more; a lease later';
COMMENT ON COLUMN log_cuts.books_read_at IS 'Real time: since when the provider''s movements of until the cut are known';

INSERT INTO log_cuts (first_position, kept_position, server, books_read_at)
    SELECT 1, 0, system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8), clock_timestamp()
    FROM pg_control_system();

ALTER TABLE payment_orders ADD COLUMN known_as TEXT COLLATE "C";
COMMENT ON COLUMN payment_orders.known_as IS 'The order that was lost in a cut and goes on in this one, as the provider knows it';

ALTER TABLE provider_movements ADD COLUMN source_id TEXT COLLATE "C", ADD COLUMN is_settled BOOLEAN NOT NULL DEFAULT false;
COMMENT ON COLUMN provider_movements.is_settled IS 'A person has dealt with the money of an order that was lost in a cut';
COMMENT ON COLUMN provider_movements.source_id IS 'What the provider calls what moved; NULL for what was read before it was kept';
"""


class Migration(Before):
    release = "1.0.0"
    excused = {"log_cuts": "the one row of the beginning, which is read from no table"}
    dependencies = [("escrow", "m0025_archives")]
    operations: list[Operation] = [RunSQL(CUTS)]
