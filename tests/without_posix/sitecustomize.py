"""Takes from dehaze-edge what Windows has not: on PYTHONPATH, for every process of a test.

Python imports a module of this name by itself. The names are missing for our code alone: the
standard library and other packages choose by sys.platform, which stays. For everybody there are no
files of Linux's, no select on pipes, and a file that is open is neither renamed nor removed.
"""

from __future__ import annotations

import builtins
import os
import select
import signal
import stat
import sys
from typing import Any

_MISSING = {
    os: """
        fork forkpty register_at_fork getuid geteuid getgid getegid setuid setgid chown lchown
        fchown link readv writev preadv pwritev pread pwrite mkfifo mknod nice uname sysconf statvfs
        fstatvfs getloadavg killpg setsid getsid getpgid setpgid getpgrp wait wait3 wait4 waitid
        posix_spawn posix_spawnp memfd_create sendfile confstr pathconf getpriority setpriority sync
        fchdir fchmod openpty sched_getaffinity sched_setaffinity sched_getscheduler
        sched_setscheduler sched_getparam sched_yield getrandom listxattr getxattr setxattr
        O_NOFOLLOW O_CLOEXEC O_DIRECTORY O_NONBLOCK O_SYNC O_DSYNC O_NOCTTY O_PATH O_TMPFILE
        O_DIRECT SCHED_FIFO SCHED_RR SCHED_OTHER
        """,
    signal: """
        SIGHUP SIGKILL SIGSTOP SIGCONT SIGTSTP SIGQUIT SIGALRM SIGUSR1 SIGUSR2 SIGCHLD SIGPIPE
        SIGWINCH alarm setitimer getitimer pause sigwait pthread_kill pthread_sigmask sigpending
        siginterrupt
        """,
    select: "PIPE_BUF poll epoll",
}
_MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline"}
_FOLDERS = ("/proc/", "/sys/", "/dev/shm/", "/etc/")
_import, _select = builtins.__import__, select.select
_is_looking = False


def _hide(module: Any, names: list[str]) -> None:
    hidden = {name: getattr(module, name) for name in names if hasattr(module, name)}
    for name in hidden:
        delattr(module, name)

    def found(name: str) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if name not in hidden or caller.startswith("dehaze"):
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return hidden[name]

    module.__getattr__ = found


def _import_of_windows(name: str, globals_: Any = None, *others: Any, **more: Any) -> Any:
    if name in _MODULES and (globals_ or {}).get("__name__", "").startswith("dehaze"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return _import(name, globals_, *others, **more)


def _select_of_sockets(reading: Any, writing: Any, *others: Any) -> Any:
    for item in (*reading, *writing):
        number = item if isinstance(item, int) else item.fileno()
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise OSError(10038, "An operation was attempted on something that is not a socket")
    return _select(reading, writing, *others)


def _open_files() -> set[str]:
    global _is_looking
    _is_looking = True
    try:
        numbers = os.listdir("/proc/self/fd")  # noqa: PTH208  # numbers
    finally:
        _is_looking = False
    names = set()
    for number in numbers:
        try:
            names.add(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115  # as text
        except OSError:  # that of listdir itself
            continue
    return names


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_looking:
        return
    if event == "open":
        path = arguments[0]
        if isinstance(path, (str, os.PathLike)) and f"{os.fspath(path)}/".startswith(_FOLDERS):
            raise FileNotFoundError(2, "No such file or directory", path)
    elif event in ("os.rename", "os.remove"):
        for path in arguments[: 2 if event == "os.rename" else 1]:
            if os.path.realpath(path) in _open_files():
                raise PermissionError(13, "The file is being used by another process", str(path))


for _module, _names in _MISSING.items():
    _hide(_module, _names.split())
builtins.__import__ = _import_of_windows
select.select = _select_of_sockets
sys.addaudithook(_refuse)
