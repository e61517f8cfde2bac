"""Remembers which endpoints were told of a cut of the log, and for which orders nothing can have been called before one.

Of cuts of before nobody is told any more; of one that the former release notices in the meantime everybody is.
"""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

TOLD = """
ALTER TABLE log_cuts ADD COLUMN untold_after TEXT COLLATE "C";
ALTER TABLE log_cuts ALTER COLUMN untold_after SET DEFAULT '';
COMMENT ON COLUMN log_cuts.untold_after IS 'Endpoints with greater identifiers are to be told of it yet; NULL once all were';
"""

UNCALLED = """
ALTER TABLE payment_orders ADD COLUMN seen_uncalled_at TIMESTAMPTZ;
COMMENT ON COLUMN payment_orders.seen_uncalled_at IS
    'Real time: when the provider''s books, read after a cut, said that nothing had been called for it; NULL if never';
"""


class Migration(Before):
    release = "1.1.0"
    excused = {"log_cuts.untold_after": "the column is new, and the former release names none that it lacks"}
    dependencies = [("escrow", "m0028_provider_accounts")]
    operations: list[Operation] = [RunSQL(TOLD), RunSQL(UNCALLED)]
