"""Runs command lines, each in a fork of one process that has loaded everything, and prints how they ended.

The first line of standard input holds as JSON the command lines that load what the others need, each further line a
list of tries. A try has ``words`` and may have ``as_other`` (without root's rights), ``largest`` (bytes that a file may
have), ``memory`` (bytes of address space beyond what is used), ``stdout`` and ``stderr`` (a path, ``pipe`` that nobody
reads, ``closed``), and ``folder``, in which it runs. Others than root may not be able to read the interpreter's own
folder, so loading comes first.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from spikewright.commands.cli import main

NOBODY = 65534
LIMIT_S = 20.0


def _stream(number: int, kind: str | None, file: int) -> Any:
    """The text stream of a descriptor that leads where ``kind`` says."""
    if kind == "closed":
        os.close(number)
        return None
    if kind == "pipe":
        read, write = os.pipe()
        os.close(read)
        file = write
    elif kind is not None:
        file = os.open(kind, os.O_WRONLY)
    os.dup2(file, number)
    errors = "backslashreplace" if number == 2 else "strict"  # as Python opens them
    return open(number, "w", closefd=False, buffering=1 if number == 2 else -1, errors=errors)


def _child(attempt: dict[str, Any], out: int, err: int) -> None:
    sys.stdout, sys.stderr = _stream(1, attempt.get("stdout"), out), _stream(2, attempt.get("stderr"), err)
    if "folder" in attempt:
        os.chdir(attempt["folder"])
    if attempt.get("as_other") and os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    if "largest" in attempt:
        resource.setrlimit(resource.RLIMIT_FSIZE, (attempt["largest"], attempt["largest"]))
    if "memory" in attempt:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + attempt["memory"]
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    code = 99
    try:
        code = main(attempt["words"])
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:  # reported as what escaped
        os.write(err, f"escaped: {type(error).__name__}: {error}\n".encode())
    os._exit(code)


def _ended(attempt: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began, child = time.monotonic(), os.fork()
        if child == 0:
            _child(attempt, out.fileno(), err.fileno())
        ended, status = 0, 0
        while not ended and time.monotonic() < began + LIMIT_S:
            ended, status = os.waitpid(child, os.WNOHANG)
            time.sleep(0.005)
        if not ended:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        err.seek(0)
        said = err.read().decode(errors="replace")
        return {"code": os.waitstatus_to_exitcode(status), "said": said, "seconds": time.monotonic() - began}


def serve() -> None:
    """Answer the tries on each line of standard input; the first line holds what to load by."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what the warming prints goes elsewhere
    for words in json.loads(sys.stdin.readline()):
        main(words)
    sys.stdout.flush()
    for line in sys.stdin:
        os.write(answer, json.dumps([_ended(each) for each in json.loads(line)]).encode() + b"\n")


if __name__ == "__main__":
    serve()
