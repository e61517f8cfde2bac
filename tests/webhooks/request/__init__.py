"""Tests of `webhooks.request`."""
