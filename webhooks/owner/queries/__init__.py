"""Reads what an account may see of its deliveries, of the attempts at them, and of its replays."""

from webhooks.owner.queries.attempts import *
from webhooks.owner.queries.deliveries import *
from webhooks.owner.queries.replays import *
