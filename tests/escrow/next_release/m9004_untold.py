"""Takes away what the former release still needs."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import After


class Migration(After):
    release = "9.0.0"
    dependencies = [("escrow", "m9003_found")]
    operations: list[Operation] = [RunSQL("ALTER TABLE event_types DROP COLUMN told")]
