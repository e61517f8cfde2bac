"""Tests of `webhooks.owner`."""
