"""Builds the index by which an order of before a cut is found under the order, of the same contract, that it goes on in."""

from tortoise.migrations.operations import Operation

from escrow.parts import Before, Concurrently

KNOWN_AS = """
CREATE UNIQUE INDEX CONCURRENTLY payment_orders_known_as ON payment_orders (known_as, contract_id)
WHERE known_as IS NOT NULL
"""


class Migration(Before):
    release = "1.0.0"
    excused = {"payment_orders_known_as": "the former release writes no such name"}
    dependencies = [("escrow", "m0026_cuts")]
    operations: list[Operation] = [Concurrently("payment_orders_known_as", KNOWN_AS)]
