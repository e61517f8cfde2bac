"""Tests of the HTTP door and of GraphQL over it."""
