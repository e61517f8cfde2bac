"""Starts one supervised program: changes user, binds its life to its parent's, and becomes the program.

It is run by its path with `python -I -S`, so it imports the standard library only. It changes the user when asked to,
binds the program's life to its parent's (Linux), and then becomes the program. Arguments: the parent's process id, the
signal that the program gets when the parent dies, a user id or `-`, a group id or `-`, a folder that the program must
be able to enter, or `-`; then the program and its arguments.
"""

import ctypes
import os
import signal
import struct
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2


def main() -> None:
    """Become the program; exits with 126 and one line when the user cannot be changed or the program not be run."""
    parent, death_signal, user, group, folder, *command = sys.argv[1:]
    try:
        os.umask(0o077)  # what the program writes is for its own user only: logs and data hold people's words
        if user != "-":
            become(int(user), int(group), must_reach=(command[0], folder))
        if sys.platform == "linux":
            # After the change of user, which would clear it.
            libc().prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(126)  # the parent died before the line above: nobody would ever stop the program
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores these, and a program would inherit that
        os.execvp(command[0], command)  # noqa: S606 - becoming the program is the purpose
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror or error}", file=sys.stderr)
        sys.exit(126)


def become(user: int, group: int, *, must_reach: tuple[str, ...]) -> None:
    """Become another user for good, who can enter the paths named.

    A checkout often lies where only root may enter (`/root`). Opening those folders to everybody is not ours to do, so
    the program gets the one capability to pass them instead, and only if it needs it.
    """
    linux = sys.platform == "linux"
    if linux:
        # Keeps the permitted capabilities over the change of user; without the right to it, none are passed on.
        libc().prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(group)  # from root these change the real and the saved ids too, so there is no way back
    os.setuid(user)
    if not linux:
        return
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        if set_capabilities(effective=0, permitted=1 << capability) and reachable(must_reach):
            break  # the usual case: nothing is in the way, and no capability is needed
        if (
            set_capabilities(effective=1 << capability, permitted=1 << capability)
            and libc().prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0
        ):
            return
    set_capabilities(effective=0, permitted=0)


def reachable(paths: tuple[str, ...]) -> bool:
    """Whether this process, as it is now, may pass all folders up to each path and enter or run it."""
    return all(os.access(path, os.X_OK, effective_ids=True) for path in paths if path != "-")


def set_capabilities(*, effective: int, permitted: int) -> bool:
    """Give up all capabilities but these (bit sets); false if they were not there to keep."""
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    sets = struct.pack("=6I", effective, permitted, permitted, 0, 0, 0)
    return bool(libc().capset(header, sets) == 0)


def libc() -> ctypes.CDLL:
    """The C library, for the two calls that Python has no words for."""
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main()
