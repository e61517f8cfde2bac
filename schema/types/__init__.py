"""Holds the types that the API answers with: plain attributes that are there already, and data loaders for the rest."""

from schema import enums  # noqa: F401 - the enumerations get their words before any type uses them
