"""Builds an index on it while others write."""

from tortoise.migrations.operations import Operation

from escrow.parts import Before, Concurrently

INDEX = "CREATE INDEX CONCURRENTLY event_types_told ON event_types (told)"


class Migration(Before):
    release = "9.0.0"
    dependencies = [("escrow", "m9002_all_told")]
    operations: list[Operation] = [Concurrently("event_types_told", INDEX)]
