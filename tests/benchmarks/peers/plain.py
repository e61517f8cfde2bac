"""Strawberry and Tortoise as their documentation has it: types, resolvers, data loaders, `filter`, `save`, and a transaction
for each command. It knows keys and who sees what, and writes the same rows as Earnest does."""

# no `from __future__ import annotations`: Strawberry reads the annotations of local names
