"""Keeps of each movement whose balance it moved: a deployment may come to another account, or to another provider.

The movements that are there, and those that a process of the former release still keeps, are of whoever was called last.
"""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

PROVIDER = """
DO $$
DECLARE known TEXT := (SELECT provider FROM provider_calls WHERE provider IS NOT NULL ORDER BY called_at DESC LIMIT 1);
BEGIN
    EXECUTE format('ALTER TABLE provider_movements ADD COLUMN provider TEXT DEFAULT %L', known);
END $$;
COMMENT ON COLUMN provider_movements.provider IS
    'Whose balance it moved, by the name that calls bear; NULL if nobody had been called when that came to be kept';
"""


class Migration(Before):
    release = "1.1.0"
    excused = {
        "DoStmt": "adds a column with a constant for its default, which the rows that are there needn't be written for"
    }
    dependencies = [("escrow", "m0030_writings")]
    operations: list[Operation] = [RunSQL(PROVIDER)]
