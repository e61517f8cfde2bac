"""Strawberry and Tortoise as their documentation has them: types, resolvers, data loaders, `filter` and `save`.

It answers the documents that Earnest answers, knows keys and who sees what, and each command is a transaction that writes the
same rows as Earnest's.
"""
