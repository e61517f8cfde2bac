"""Holds the commands of `earnest`, one a module; `earnest.cli.COMMANDS` names them."""
