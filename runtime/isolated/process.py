"""A process that does one task after the other, and begins anew behind a crash.

It is no jail: what took it over could do what its user can. It ends with the program that started
it, also where that is killed.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from ..errors import DehazeError, InputError, one_line
from .messages import received, send
from .program import python_program

__all__ = ["Answer", "IsolatedProcess", "be_quiet", "limit_seconds", "serve"]

Answer = Callable[[Any, Callable[[Any], None]], Any]
"""Does a task in the process: takes it, and what tells of its progress; returns its result."""
_PIPE_BYTES = 2**20
_WHY = {
    "SIGXCPU": "it took too much processor time",
    "SIGKILL": "it was killed, perhaps for the memory that it took",
}

P = TypeVar("P", bound="IsolatedProcess")


class IsolatedProcess:
    """A process that runs `serve`. A context manager.

    Args:
        module: with a function `serve_tasks` without arguments, which calls `serve`.
        purpose: what the process does, for messages: `reads pictures`.
    """

    def __init__(self, module: str, purpose: str) -> None:
        self._module = module
        self._purpose = purpose
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Begins the process, anew where there is one.

        Raises:
            DehazeError: the system has no room for another process.
        """
        self.close()
        try:
            self._process = subprocess.Popen(
                python_program(self._module, "serve_tasks"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the one who waits for the answer
            )
        except OSError as error:
            raise DehazeError(
                f"the process that {self._purpose} cannot be started ({one_line(error)})"
            ) from error
        _widen(self._process.stdout)

    def ask(self, task: Any, on_progress: Callable[[Any], None] | None = None) -> Any:
        """The result of a task; also raises what the task raises.

        Raises:
            InputError: the process ended at this task. The next one needs `start`.
        """
        process = self._process
        assert process and process.stdin and process.stdout
        try:
            send(process.stdin, task)
            kind, message = received(process.stdout)
            while kind == "progress":
                if on_progress:
                    on_progress(message)
                kind, message = received(process.stdout)
        except (EOFError, OSError) as error:
            raise InputError(self._end()) from error
        except BaseException:  # Ctrl-C: nobody waits for the answer any more
            self.close()
            raise
        if kind == "error":
            raise message
        return message

    def _end(self) -> str:
        """Says how the process ended."""
        process, self._process = self._process, None
        assert process is not None
        code = process.wait()
        _close_pipes(process)
        if code >= 0:
            return f"the process that {self._purpose} ended at this file (exit code {code})"
        name = next((s.name for s in signal.Signals if s == -code), f"signal {-code}")
        return (
            f"the decoder was ended by this file ({_WHY.get(name, name)}); it is damaged or made "
            f"for that, the others are not concerned"
        )

    def close(self) -> None:
        """Ends the process, whatever it does."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            _close_pipes(process)

    def __enter__(self: P) -> P:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe:
                pipe.close()


def _widen(pipe: IO[bytes] | None) -> None:
    """Makes a pipe wider than its 64 KiB, where the system can."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        assert pipe is not None
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def serve(answer: Answer) -> None:
    """What the process does: answers the tasks that come in, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows sends Ctrl-C to all of a console
    tasks = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library may print
    with suppress(OSError):  # where memory runs out the kernel is to end this process first
        Path("/proc/self/oom_score_adj").write_text("1000")
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks, waiting), daemon=True).start()
    with suppress(OSError):
        while True:
            send(answers, _answered(answer, waiting.get(), answers))


def _listen(tasks: IO[bytes], waiting: queue.SimpleQueue[Any]) -> None:
    """Takes tasks in, and ends the process when nobody is there any more, whatever it does."""
    try:
        while True:
            waiting.put(received(tasks))
    except (EOFError, OSError):
        os._exit(0)


def _answered(answer: Answer, task: Any, answers: IO[bytes]) -> tuple[str, Any]:
    """A result, or an error as it can be sent: of our tree, of the system, or in words."""

    def tell(progress: Any) -> None:
        send(answers, ("progress", progress))

    try:
        return "result", answer(task, tell)
    except DehazeError as error:
        return "error", type(error)(str(error))
    except MemoryError:
        return "error", MemoryError()
    except OSError as error:
        return "error", OSError(error.errno, error.strerror)
    except Exception as error:
        # The name of the file is put before it, as before all that a file's steps raise.
        words = f"this file cannot be read ({type(error).__name__}: {one_line(error)})"
        return "error", InputError(words)


def be_quiet() -> None:
    """Drops what libraries say of damage on standard error from now on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def limit_seconds(seconds: int) -> None:
    """Lets this process work for so many seconds of processor time more, where it can be said."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        limit = round(used.ru_utime + used.ru_stime) + seconds
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))
