"""Follows the log as it is written: once in each process, for any number of readers, who are told what they may see.

Here is no word of GraphQL or of sockets. `hub` follows the log, `reader` is one reader's place in it, `key_lifetimes`
knows whose keys ended, `occurrences` reads the database.
"""
