"""Backups by PostgreSQL's own tools, and restoring to any moment since the oldest of them.

A folder of backups has a base for each time that one was taken (`base-20261129T180000Z`, named by when it was whole), and in `wal`
what PostgreSQL wrote since, as `archive_command` or `pg_receivewal` put it there.
"""
