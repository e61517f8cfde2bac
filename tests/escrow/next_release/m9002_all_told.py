"""Fills that column, ten rows at a time."""

from tortoise.migrations.operations import Operation

from escrow.parts import Before, InBatches

SOME = """
UPDATE event_types SET told = 'yes'
WHERE (type, schema_version) IN (SELECT type, schema_version FROM event_types WHERE told IS NULL LIMIT 10)
"""


class Migration(Before):
    release = "9.0.0"
    dependencies = [("escrow", "m9001_told")]
    operations: list[Operation] = [InBatches(SOME)]
