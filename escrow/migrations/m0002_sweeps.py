"""Creates what the sweep of due deadlines notes for itself: who works on which contract, and how often what happened.

Neither table is the domain's: nothing in it is in the log, and emptying both loses a few seconds and some counts. They
have no foreign key to contracts, so that a claim touches no row that commands write.
"""

from tortoise import migrations
from tortoise.migrations.operations import Operation, RunSQL

SWEEPS = """
CREATE TABLE deadline_sweeps (
    contract_id TEXT COLLATE "C" NOT NULL,
    free_at     TIMESTAMPTZ NOT NULL,
    lease_token TEXT NOT NULL,
    attempts    INT NOT NULL,
    last_error  TEXT,
    CONSTRAINT deadline_sweeps_pkey PRIMARY KEY (contract_id),
    CONSTRAINT deadline_sweeps_attempts CHECK (attempts >= 1)
);
COMMENT ON TABLE deadline_sweeps IS 'Contracts that a worker is at, or that failed and wait for their next attempt';
COMMENT ON COLUMN deadline_sweeps.free_at IS 'Real time: the lease or the pause ends';

CREATE TABLE deadline_counts (
    outcome TEXT COLLATE "C" NOT NULL,
    total   BIGINT NOT NULL,
    CONSTRAINT deadline_counts_pkey PRIMARY KEY (outcome),
    CONSTRAINT deadline_counts_only_grow CHECK (total >= 1)
);
COMMENT ON TABLE deadline_counts IS 'What sweeps did since the tables were made: events by type, and failures';
"""


class Migration(migrations.Migration):
    dependencies = [("escrow", "m0001_tables")]
    operations: list[Operation] = [RunSQL(SWEEPS)]
