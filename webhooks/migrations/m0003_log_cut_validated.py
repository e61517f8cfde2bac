"""Looks at the deliveries that were there before deliveries could tell of a cut, while they are read and written."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before


class Migration(Before):
    release = "1.1.0"
    dependencies = [("webhooks", "m0002_log_cut")]
    operations: list[Operation] = [
        RunSQL(f"ALTER TABLE deliveries VALIDATE CONSTRAINT {name}")
        for name in ("deliveries_kind", "deliveries_body", "deliveries_position")
    ]
