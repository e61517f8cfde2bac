"""The log as it is written: one follower in each process, and any number of readers who are told what they may see.

Here is no word of GraphQL or of sockets. `hub` follows the log, `reader` is one reader's place in it, `credentials`
knows whose keys ended, `occurrences` reads the database.
"""
