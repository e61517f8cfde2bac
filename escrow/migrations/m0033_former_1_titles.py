"""Fills in the contract of words of titles that a process from before 1.0.0 may have left without, some at a time.

Three steps take away what only such processes used, now that none of them can run beside this release: the rows that they left
behind, what the tables did for them, and a look at the rest.
"""

from tortoise.migrations.operations import Operation

from escrow.migrations.m0024_placement_4_rows import TITLES
from escrow.parts import After, InBatches


class Migration(After):
    release = "1.1.0"
    dependencies = [("escrow", "m0032_given_up")]
    operations: list[Operation] = [InBatches(TITLES)]
