"""Lets a refund of another sum than the deposit's charge be given up, too, once the bank has given the client the money."""

from tortoise.migrations.operations import Operation, RunSQL

from escrow.parts import Before

# No less than was restored, which is no less than nothing, says another constraint.
GIVEN_UP = "ALTER TABLE deposits DROP CONSTRAINT deposits_forfeited"


class Migration(Before):
    release = "1.1.0"
    excused = {"deposits.deposits_forfeited": "refuses what no process of the former release writes"}
    dependencies = [("escrow", "m0031_whose_movements")]
    operations: list[Operation] = [RunSQL(GIVEN_UP)]
