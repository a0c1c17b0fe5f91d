"""Becomes the command it is given, once the kernel has promised to end it when the process that started it ends.

Run as a plain file, without the rest of the package: `python child.py PARENT SIGNAL USER:GROUP COMMAND…`. The parent
could not do this safely itself between fork and exec, beside its threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # Linux only; elsewhere the next start finds what is left


def main() -> None:
    parent, death_signal, owner, *command = sys.argv[1:]
    # Whoever started us may ignore or block signals (nohup, a CI runner); the command decides for itself.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    if owner:
        user, group = map(int, owner.split(":"))
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if sys.platform == "linux":  # after the change of user, which clears it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("The process that wanted this one has ended already.")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} can't be run: {error.strerror}.")


if __name__ == "__main__":
    main()
