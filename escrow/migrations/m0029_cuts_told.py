"""Remembers which endpoints were told of a cut of the log: receivers of webhooks have seen events that are no more, too.

Of cuts of before nobody is told any more; of one that the former release notices in the meantime everybody is.
"""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

TOLD = """
ALTER TABLE log_cuts ADD COLUMN untold_after TEXT COLLATE "C";
ALTER TABLE log_cuts ALTER COLUMN untold_after SET DEFAULT '';
COMMENT ON COLUMN log_cuts.untold_after IS 'Endpoints with greater identifiers are to be told of it yet; NULL once all were';
"""


class Migration(Before):
    release = "1.1.0"
    excused = {"log_cuts.untold_after": "the column is new, and the former release names none that it lacks"}
    dependencies = [("escrow", "m0027_names")]
    operations: list[Operation] = [RunSQL(TOLD)]
