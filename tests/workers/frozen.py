"""Imported last by the process that forks others: what each of them would read for itself, their garbage collectors included."""

import gc
from functools import cache

import webhooks.models  # noqa: F401 - imported by name once a process connects
from webhooks.request import connector

connector.tls = cache(connector.tls)
connector.tls()  # the certificates of all authorities
gc.freeze()
