"""Holds the types that the API answers with: plain attributes that are there already, and data loaders for the rest."""
