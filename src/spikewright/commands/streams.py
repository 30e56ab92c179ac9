"""Standard streams that are closed, full, or a pipe that nobody reads any more."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable

from ..base.interrupt import heeding_requests
from ..base.started import started
from ..base.visible import visible

USAGE = 2
SIGNALLED = 128
PIPE_CLOSED = 141
_STREAMS = 3  # input, output and errors
_OF_WRITING = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def guarded(work: Callable[[], int]) -> int:
    """Do ``work`` and return its exit code, or that of a standard output that cannot be written.

    Standard output that is closed is refused before the work. Closed standard input and errors are empty. Signals that
    ask to end interrupt the work as Ctrl-C does.
    """
    _occupy()
    if sys.stderr is None:
        sys.stderr = os.fdopen(_STREAMS - 1, "w", encoding="utf-8", closefd=False)
    if sys.stdout is None:
        complain("error: standard output is closed; send it to a file, or to /dev/null where nobody reads it")
        return USAGE
    try:
        with heeding_requests():
            code = work()
            sys.stdout.flush()
            return code
    except KeyboardInterrupt as asked:
        return stopped(asked)
    except BrokenPipeError:
        return _left(PIPE_CLOSED)
    except SystemExit as leaving:  # rich's answer to a closed pipe
        if isinstance(leaving.__context__, BrokenPipeError):
            return _left(PIPE_CLOSED)
        raise
    except OSError as error:
        if not is_of_output(error):
            raise
        complain(f"error: standard output cannot be written ({error.strerror}); make room, or send it somewhere else")
        return _left(USAGE)


def stopped(asked: KeyboardInterrupt, how: str = "") -> int:
    """Say that the work was interrupted, and return the exit code; of several processes the first says it.

    Args:
        how: to go on; empty where there is nothing to say about that.
    """
    number = getattr(asked, "signal", signal.SIGINT)
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    if started().speaks:
        complain(visible(f"interrupted{by}{'; ' if how else ''}{how}"))
    return SIGNALLED + number


def is_of_output(error: Exception) -> bool:
    """Whether an error is of writing to standard output: of a write, and of no file that has a name."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _OF_WRITING


def complain(text: str) -> None:
    """Print a line on standard error; where that cannot be written, there is nowhere to say so."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        raise
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _left(code: int) -> int:
    """Leave what standard output still holds unwritten, about which Python would complain as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _occupy() -> None:
    """Open the numbers of closed standard streams, so that no file gets one and then what libraries print."""
    for number in range(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
