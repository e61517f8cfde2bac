"""Reads for answers what an actor may see: by identifier, and by keyset pages, everything of one kind in one statement.

Whatever is asked for by identifier and may not be seen is simply not in the answer. Functions that take identifiers of
contracts expect ones that the actor was shown before; they don't ask again who is asking.
"""
