"""Sees what a reader does besides reading its file: other files, code, processes, connections."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
RUNS = (
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "subprocess.Popen",
    "pty.spawn", "pickle.find_class", "marshal.loads", "webbrowser.open",
)  # fmt: skip
"""Audit events of code or a process that starts, or of an object that a pickle names."""
CALLS = (
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "urllib.Request",
    "ftplib.connect",
)
CHANGES = (
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile", "shutil.unpack_archive", "sqlite3.connect",
)  # fmt: skip
"""Audit events of files that change, whose first argument, and of some the second, is a path."""
GENERATED = ("<string>", "<eval_with_key>", "<frozen ", "<attrs generated", "<lambdifygenerated", "<__array_function__")
"""Beginnings of the names of code that libraries make of their own texts."""
MAKERS = ("dataclasses.py", "collections/__init__.py", "enum.py", "typing.py", "torch/", "pydantic/", "numpy/", "attr/",
          "sqlalchemy/", "typing_extensions.py", "jinja2/", "functools.py", "importlib", "scipy/", "namedtuple",
          "matplotlib/", "google/", "mako/", "alembic/", "numba/", "decorator.py")  # fmt: skip
"""Parts of the paths of libraries that make code so."""
IN_OPEN, IN_MODIFY, IN_CREATE, IN_DELETE, IN_MOVED_TO = 0x20, 0x2, 0x100, 0x200, 0x80


class Watch:
    """Notes events while it is on; a hook of Python cannot be taken away again, so one is made for each process.

    Attributes:
        seen: what was not allowed since the last :meth:`begin`, each as a kind and a sentence.
    """

    def __init__(self, files: Path, cache: Path, *others: Path, writes: Iterable[str] = ()) -> None:
        """Begin to listen.

        Args:
            files: the folder that may be read.
            cache: the folder that may be written.
            others: further folders that may be read.
            writes: beginnings of the names of files in ``files`` that may be written.
        """
        self.seen: list[tuple[str, str]] = []
        self._is_on = False
        self._readable = [*_libraries(), f"{files}/", f"{cache}/", *(f"{each}/" for each in others), *SYSTEM]
        self._writable = (f"{cache}/", *(f"{files}/{name}" for name in writes))
        self._files = f"{files}/"
        sys.addaudithook(self._hook)

    def begin(self) -> None:
        """Forget what was seen, and be on."""
        self.seen.clear()
        self._is_on = True

    def end(self) -> None:
        """Be off."""
        self._is_on = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on:
            return
        self._is_on = False  # what follows may raise events of its own
        try:
            self._judge(event, arguments)
        finally:
            self._is_on = True

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._opened(*arguments[:3])
        elif event == "exec":
            self._executed(arguments[0])
        elif event in RUNS:
            self.seen.append(("code", f"{event} {arguments[:2]!r}"[:300]))
        elif event in CALLS:
            self.seen.append(("code", f"{event} {arguments!r}"[:300]))
        elif event in CHANGES:
            for path in arguments[: 2 if event in ("os.rename", "os.link", "shutil.move") else 1]:
                self._changed(event, path)

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int):
            return
        where = _whole(path)
        is_writing = bool(flags & WRITING) if isinstance(flags, int) and flags > 0 else _writes(mode)
        if is_writing and not where.startswith(self._writable) and where not in DEVICES:
            self.seen.append(("written", f"opened for writing: {where}"))
        elif not is_writing and not where.startswith(tuple(self._readable)):
            self.seen.append(("followed", f"opened: {where}"))

    def _changed(self, event: str, path: Any) -> None:
        where = _whole(path) if isinstance(path, str | bytes | os.PathLike) else ""
        if event == "sqlite3.connect" and where.startswith(self._files):
            return
        is_there = event == "os.mkdir" and os.path.isdir(where)
        if where and not is_there and not where.startswith(self._writable):
            self.seen.append(("written", f"{event}: {where}"))

    def _executed(self, code: types.CodeType) -> None:
        name = code.co_filename
        if name.startswith(GENERATED):
            frame = sys._getframe(3)  # behind this one, _judge and _hook
            maker = frame.f_code.co_filename
            while "<" in maker and frame.f_back is not None:
                frame = frame.f_back
                maker = frame.f_code.co_filename
            if any(part in maker for part in MAKERS) or name.startswith("<frozen "):
                return
        elif name.startswith(tuple(_libraries())):
            return
        self.seen.append(("code", f"ran code of {name}"))


SYSTEM = ("/proc/self/", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/sys/", "/etc/mime.types", "/usr/", "/lib/",
          "/dev/null", "/dev/urandom", "/etc/localtime", "/etc/ld.so.cache", "/proc/mounts")  # fmt: skip
"""What libraries look at to know the machine."""
DEVICES = ("/dev/null",)


def _libraries() -> list[str]:
    roots = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *(each for each in sys.path if each)}
    return [f"{os.path.realpath(root)}/" for root in roots] + [f"{root}/" for root in roots]


def _whole(path: Any) -> str:
    text = os.fsdecode(path)
    if text.startswith("file:"):
        text = text[5:].partition("?")[0]
    return os.path.normpath(os.path.join(os.getcwd(), text))


def _writes(mode: Any) -> bool:
    return isinstance(mode, str) and any(letter in mode for letter in "wxa+")


class Folders:
    """Sees by the kernel what happens to files in folders, by C libraries as well, which raise no events of Python."""

    def __init__(self, watched: Iterable[Path], opened: Iterable[Path]) -> None:
        """Watch folders.

        Args:
            watched: where nothing may be made, changed or removed.
            opened: where nothing may even be opened.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self._number = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._number < 0:
            raise OSError(ctypes.get_errno(), "inotify is not available")
        self._names: dict[int, Path] = {}
        change = IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_TO
        for folders, mask in ((watched, change), (opened, change | IN_OPEN)):
            for folder in folders:
                number = libc.inotify_add_watch(self._number, os.fsencode(folder), mask)
                self._names[number] = folder

    def seen(self) -> list[tuple[str, str]]:
        """What happened since the last call."""
        try:
            data = os.read(self._number, 65_536)
        except BlockingIOError:
            return []
        found, place = [], 0
        while place < len(data):
            number, mask, _, length = struct.unpack_from("iIII", data, place)
            name = os.fsdecode(data[place + 16 : place + 16 + length].rstrip(b"\0"))
            place += 16 + length
            kind = "followed" if mask & IN_OPEN else "written"
            if not mask & 0x40000000 or name:  # a folder that is listed is not looked into
                found.append((kind, f"{kind}: {self._names.get(number, '?')}/{name}"))
        return found


Hook = Callable[[str, tuple[Any, ...]], None]
