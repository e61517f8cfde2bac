"""Tests of `webhooks.events`."""
