"""Streams as clients get them: real sockets, a real log, the sequencer beside."""
