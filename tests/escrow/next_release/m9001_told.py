"""Adds a column that nobody needs to know."""

import pkgutil

from tortoise.migrations.operations import Operation, RunSQL

from escrow import migrations
from escrow.parts import Before

LAST = max(one.name for one in pkgutil.iter_modules(migrations.__path__))


class Migration(Before):
    release = "9.0.0"
    dependencies = [("escrow", LAST)]
    operations: list[Operation] = [RunSQL("ALTER TABLE event_types ADD COLUMN told TEXT")]
