"""Looks at the rows that were there before the foreign keys of contract and part, while they are read and written."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.migrations.m0024_placement_5_foreign_keys import FILLED, FOREIGN
from escrow.parts import Before


class Migration(Before):
    release = "1.0.0"
    dependencies = [("escrow", "m0024_placement_5_foreign_keys")]
    operations: list[Operation] = [
        *(RunSQL(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}") for table, name, _, _ in FOREIGN),
        *(RunSQL(f"ALTER TABLE {table} VALIDATE CONSTRAINT {table}_{column}_not_null") for table, column in FILLED),
    ]
