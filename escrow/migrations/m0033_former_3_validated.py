"""Looks at the words of titles that were there before each had to say its contract, while they are read and written."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import After


class Migration(After):
    release = "1.1.0"
    dependencies = [("escrow", "m0033_former_2_gone")]
    operations: list[Operation] = [RunSQL("ALTER TABLE titles VALIDATE CONSTRAINT titles_contract_id_not_null")]
