"""A release after this one, made up: its steps follow those that there are."""

from escrow import migrations

__path__ = [*__path__, *migrations.__path__]
