"""Tests of `webhooks.delivery`."""
