"""What Lava's processes share, without names in the file system: nothing of it can be left behind.

Lava's channels lie in shared memory and are guarded by semaphores. Python's own have names (``/dev/shm/psm_*`` and
``sem.mp-*``), which somebody has to remove: when all processes are killed at once, nobody does. Memory and counters
that are inherited by fork need no names, and the system frees them with the last process that has them. They hold and
count the same, so that Lava computes the same; and there is no process any more that manages names.

Only the child process that runs Lava uses this module, on Linux. Elsewhere Python's own are left in place.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import resource
from multiprocessing.connection import Connection
from typing import Any, ClassVar

KILLED = "one of Lava's processes was killed; the system does that when memory runs out"
MOST_FILES = 65536
"""Open files that the child asks for, if the system lets it have as many: every channel takes two."""


class Counter:
    """A semaphore: a counter of the system (eventfd)."""

    def __init__(self, value: int = 1) -> None:
        self._handle = os.eventfd(value, os.EFD_SEMAPHORE)

    def acquire(self) -> bool:
        """Take one, and wait while there is none; always true."""
        os.eventfd_read(self._handle)
        return True

    def release(self) -> None:
        """Give one back, so that one process that waits goes on."""
        os.eventfd_write(self._handle, 1)


class Post:
    """A queue for the error, or None, by which each of Lava's processes says how its start went.

    Lava makes one just before it forks the process. Then only that process can write into it, so that its end is known.
    """

    _to_close: ClassVar[list[Connection]] = []

    def __init__(self) -> None:
        self._read, self._write = multiprocessing.Pipe(duplex=False)
        self._to_close.append(self._write)

    def put(self, value: object) -> None:
        """Send how a start went to the process that waits for it."""
        self._write.send(value)

    def get(self) -> Any:
        """Wait for a value.

        Raises:
            RuntimeError: the process that should send one was killed.
        """
        try:
            return self._read.recv()
        except EOFError:
            raise RuntimeError(KILLED) from None

    @classmethod
    def after_fork(cls) -> None:
        """Leave to the process that was forked the queue that was made for it."""
        while cls._to_close:
            cls._to_close.pop().close()


class Memory:
    """Zeros that this process shares with those forked from it.

    Attributes:
        buf: the bytes.
    """

    def __init__(self, size: int) -> None:
        self.buf = memoryview(mmap.mmap(-1, size))


class MemoryManager:
    """Gives Lava's channels their memory, which lasts as long as a process has it."""

    def start(self) -> None:
        """There is no process to start."""

    def create_shared_memory(self, size: int) -> Memory:
        """New memory of ``size`` bytes."""
        return Memory(size)

    def shutdown(self) -> None:
        """There is no process to end."""


def share_without_names() -> None:
    """Make Lava's channels of memory and counters without names, in this process, where the system has both."""
    if not hasattr(os, "eventfd"):
        return
    from lava.magma.compiler.channels import pypychannel
    from lava.magma.runtime import runtime
    from lava.magma.runtime.message_infrastructure import multiprocessing as infrastructure

    pypychannel.Semaphore = Counter
    runtime.Queue = Post
    os.register_at_fork(after_in_parent=Post.after_fork)
    infrastructure.SharedMemoryManager = MemoryManager
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
