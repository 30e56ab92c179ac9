"""Which process of several this one is, its part of a batch, and what a broken connection is told from."""

import pytest

from spikewright.base.processes import ALONE, Lost, Processes, _connected, saying_how, working_together
from spikewright.base.started import Started, started

TWO = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TWO, "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK"):
        monkeypatch.delenv(name, raising=False)


def as_started(monkeypatch: pytest.MonkeyPatch, **changed: str) -> Started:
    for name, value in {**TWO, **changed}.items():
        monkeypatch.setenv(name, value)
    return started()


def test_a_process_is_alone_unless_a_launcher_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started() == Started()
    for changed in ({"WORLD_SIZE": "1", "RANK": "0"}, {"RANK": "2"}, {"RANK": "x"}, {"MASTER_PORT": ""}):
        assert as_started(monkeypatch, **changed) == Started()
    with working_together(Started()) as group:
        assert group is ALONE
        assert group.exchange("note") == ["note"]
        assert group.agree(lambda: 7) == 7


def test_the_first_process_speaks_and_one_of_every_other_host_of_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert as_started(monkeypatch) == Started(1, 2, 1, 2)
    places = [("0", "0", "0"), ("1", "1", "0"), ("2", "0", "1"), ("3", "1", "1")]
    every = [
        as_started(monkeypatch, WORLD_SIZE="4", RANK=rank, LOCAL_RANK=local, LOCAL_WORLD_SIZE="2", GROUP_RANK=host)
        for rank, local, host in places
    ]
    assert [each.speaks for each in every] == [True, False, False, False]
    assert [each.speaks_of_faults for each in every] == [True, False, True, False]


@pytest.mark.parametrize(("count", "size"), [(33, 2), (7, 3), (4, 4), (128, 5)])
def test_parts_are_the_whole_in_order_and_differ_by_one_at_most(count: int, size: int) -> None:
    parts = [Processes(rank, size).part(count) for rank in range(size)]
    assert [i for part in parts for i in range(count)[part]] == list(range(count))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1
    assert [Processes(0, size).part(count, rank) for rank in range(size)] == parts


def test_only_a_broken_connection_counts_as_a_process_that_has_ended() -> None:
    with (
        pytest.raises(Lost, match="has ended; it or its launcher says why; go on by hand"),
        saying_how(lambda: "go on by hand"),
        _connected(),
    ):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:47301")
    with pytest.raises(RuntimeError, match="sizes differ"), _connected():
        raise RuntimeError("sizes differ")
