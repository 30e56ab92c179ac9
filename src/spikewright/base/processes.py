"""Processes that train one student together, as ``torchrun`` starts them.

The first of them (rank 0) decides, and alone writes files and speaks; the others follow. What they tell each other is
JSON and tensors, over gloo; tensors on a GPU go over NCCL.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from .errors import AnswerIsNo, SpikewrightError, refuse
from .started import Started, started
from .torch_file import unpacked

Made = TypeVar("Made")
PATIENCE = timedelta(days=30)
"""A process waits so long for another. One that has ended is noticed at once, since its connections close."""
_DONE = "done"
_BROKEN = ("connect", "peer", "broken pipe", "socket", "read error", "write error", "remote process", "network error")
"""What gloo and NCCL say of a connection whose other end is gone, in part."""
TURNS = 3
"""Of work that fills caches: the first process, then the first of every other host, then all others."""


class Left(Exception):
    """The first process has nothing more to do for the others."""


class Lost(AnswerIsNo):
    """The connection to another process broke: it has ended."""


@dataclass(frozen=True, eq=False)
class Processes:
    """This process and those that work with it.

    Attributes:
        rank: of this one, from 0.
        size: how many there are; 1: it is alone, and nothing is sent.
        local: its number among those of its host.
        of_gpu: the group for tensors on a GPU; None for that of all others.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    of_gpu: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that decides."""
        return self.rank == 0

    def part(self, count: int, rank: int | None = None) -> slice:
        """The part of ``count`` things that is a process's own; the first parts are larger by one where it must be.

        Args:
            rank: of the process; None for this one.
        """
        each, more = divmod(count, self.size)
        place = self.rank if rank is None else rank
        first = place * each + min(place, more)
        return slice(first, first + each + (place < more))

    def summed(self, values: Tensor) -> Tensor:
        """The sum over all processes of tensors of one shape, without gradient."""
        found = values.detach().clone(memory_format=torch.contiguous_format)
        with _connected():
            dist.all_reduce(found, group=self._group(found))
        return found

    def joined(self, values: Tensor, count: int) -> Tensor:
        """The parts of all processes, one after the other along the first axis, ``count`` in all, without gradient."""
        largest = -(-count // self.size)
        mine = values.detach().contiguous()
        if len(mine) < largest:
            mine = torch.cat([mine, mine.new_zeros(largest - len(mine), *mine.shape[1:])])
        parts = [torch.empty_like(mine) for _ in range(self.size)]
        with _connected():
            dist.all_gather(parts, mine, group=self._group(mine))
        sizes = (self.part(count, rank) for rank in range(self.size))
        return torch.cat([part[: own.stop - own.start] for part, own in zip(parts, sizes, strict=True)])

    def exchange(self, note: object) -> list[Any]:
        """What every process notes at this point, by rank: JSON-able values.

        Raises:
            Left: the first process has nothing more to do.
        """
        if self.size == 1:
            return [note]
        text = torch.tensor(list(json.dumps(note).encode()), dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        with _connected():
            dist.all_gather(sizes, torch.tensor([len(text)]))
            longest = max(int(size) for size in sizes)
            padded = torch.cat([text, text.new_zeros(longest - len(text))])
            texts = [torch.empty_like(padded) for _ in range(self.size)]
            dist.all_gather(texts, padded)
        found = [json.loads(bytes(each[: int(size)].tolist())) for each, size in zip(texts, sizes, strict=True)]
        if found[0] == _DONE and not self.is_first:
            raise Left
        return found

    def hand_over(self, content: object) -> None:
        """Send what :func:`torch.save` takes to the others, which are at :meth:`handed_over`; None for no more."""
        if self.size == 1:
            return
        buffer = io.BytesIO()
        torch.save(content, buffer)
        sent = None if content is None else torch.frombuffer(buffer.getbuffer(), dtype=torch.uint8)
        self.exchange(None if sent is None else len(sent))
        if sent is not None:
            with _connected():
                dist.broadcast(sent, 0)

    def handed_over(self) -> Any:
        """What the first process hands over; None where there is no more.

        Raises:
            Left: it has ended its work.
        """
        if (size := self.exchange(None)[0]) is None:
            return None
        content = torch.empty(size, dtype=torch.uint8)
        with _connected():
            dist.broadcast(content, 0)
        return unpacked(io.BytesIO(content.numpy().tobytes()))

    def dismiss(self) -> None:
        """Tell the others, as the first process, that there is nothing more to do; they leave where they are."""
        if self.size > 1 and self.is_first:
            with suppress(Lost):
                self.exchange(_DONE)

    def agree(self, work: Callable[[], Made], in_turn: bool = False) -> Made:
        """Do ``work`` in every process; where it is refused in one, it is in all.

        Args:
            in_turn: the first process does it before the others, and one of each host before the rest, which then find
                in the cache what it made.

        Raises:
            InputError: of the first process, or what another one refused, by its rank.
            Left: in every other process.
        """
        if self.size == 1:
            return work()
        mine = 0 if not in_turn or self.is_first else 1 if self.local == 0 else 2
        made: list[Made] = []
        for turn in range(TURNS if in_turn else 1):
            fault: SpikewrightError | None = None
            if turn == mine:
                try:
                    made.append(work())
                except Lost:
                    raise
                except SpikewrightError as error:
                    fault = error
            told = self.exchange(None if fault is None else fault.message)
            if any(told) and not self.is_first:
                raise Left
            if fault is not None:
                raise fault
            refuse("processes", [f"process {rank}: {text}" for rank, text in enumerate(told) if text])
        return made[0]

    def require_same(self, facts: Mapping[str, object]) -> None:
        """Refuse to go on where the processes differ in JSON-able facts.

        Raises:
            InputError: they differ, said by the first process.
            Left: the same, in the others.
        """
        if self.size == 1:
            return
        every = self.exchange(dict(facts))
        differing = [
            (name, rank) for name in every[0] for rank in range(self.size) if every[rank][name] != every[0][name]
        ]
        faults = [
            f"{name}: is {every[rank][name]} in process {rank}, and {every[0][name]} in the first; a training takes "
            "machines, versions and files that are the same"
            for name, rank in differing
        ]
        if faults and not self.is_first:
            raise Left
        refuse("processes", faults)

    def _group(self, values: Tensor) -> Any:
        return self.of_gpu if values.is_cuda else None


ALONE = Processes()
"""A process that works with no others."""


@contextmanager
def working_together(here: Started | None = None) -> Iterator[Processes]:
    """Connect this process with those that were started with it, until the end.

    Where the first process ends its work, or has it refused, the others are told, and leave.

    Args:
        here: which process this is; None for what the environment says.

    Raises:
        Lost: a process has ended before its time.
    """
    here = here or started()
    if here.size == 1:
        yield ALONE
        return
    with _connected():
        dist.init_process_group("gloo", timeout=PATIENCE, rank=here.rank, world_size=here.size)
    group = Processes(here.rank, here.size, here.local)
    try:
        if all(group.exchange(_has_gpu(here))):
            group = replace(group, of_gpu=dist.new_group(backend="nccl", timeout=PATIENCE))
        yield group
        group.dismiss()
    except Lost:
        raise
    except Left:
        pass
    except SpikewrightError:
        group.dismiss()
        raise
    # The group is left to the end of the process: gloo may wait for good for one that took its connections down itself.


def _has_gpu(here: Started) -> bool:
    """Whether this process gets a GPU of its own, which becomes the one that torch takes."""
    if not dist.is_nccl_available() or here.local >= torch.cuda.device_count():
        return False
    torch.cuda.set_device(here.local)
    return True


@contextmanager
def saying_how(how: Callable[[], str]) -> Iterator[None]:
    """Work that says how to go on when another process has ended before its time.

    Args:
        how: asked then.

    Raises:
        Lost: with what ``how`` said.
    """
    try:
        yield
    except Lost as error:
        raise Lost(f"{error.message}; {how()}") from error


@contextmanager
def _connected() -> Iterator[None]:
    """Say of a broken connection what it means."""
    try:
        yield
    except RuntimeError as error:
        if not any(word in str(error).lower() for word in _BROKEN):
            raise
        said = "another of the processes that share this training has ended; it or its launcher says why"
        raise Lost(said) from error
