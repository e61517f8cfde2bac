"""Looks whether a web process could listen where it is told to, before anything else begins."""

from __future__ import annotations

import errno
import socket

from earnest.run.refusing import CannotStart
from escrow.settings import Settings


def check_port(settings: Settings) -> None:
    """Refuse when the web process could not listen on its port."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except PermissionError:
            raise CannotStart(
                f"Port {settings.port} may only be used by root: choose another one (PORT=8000 make run)"
            ) from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise CannotStart(
                    f"EARNEST_HOST is {settings.host}, where this machine can't listen ({error.strerror}): set it to one of "
                    "its addresses, or to 0.0.0.0 for all"
                ) from None
            raise CannotStart(
                f"Port {settings.port} is taken ({error.strerror}): stop the program that uses it, or choose another "
                f"port (PORT={settings.port % 65535 + 1} make run)"
            ) from None
