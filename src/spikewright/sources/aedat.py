"""AEDAT, the files of iniVation's cameras and of jAER: versions 2.0, 3.1 and 4.0.

Source: https://docs.inivation.com/software/software-advanced-usage/file-formats; the fields of a packet of version 3.1
as in libcaer, those of a DAVIS in version 2.0 as in jAER.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import InputError
from ..base.types import IntArray
from .event_binaries import AGAIN, contents, unwrapped
from .needs import needed
from .recordings import Recording

V2_EVENT = np.dtype([("address", ">u4"), ("t", ">u4")])
V3_PACKET = np.dtype([(name, "<i4") for name in ("kind", "size", "offset", "overflow", "capacity", "number", "valid")])
V3_EVENT = np.dtype([("address", "<u4"), ("t", "<i4")])
POLARITY_PACKET = 1
NOT_V4 = "cannot be read as AEDAT 4.0"
V4_MAGIC = len(b"#!AER-DAT4.0\r\n")
SENSORS = {
    "dvs128": (128, 128),
    "tmpdiff128": (128, 128),
    "davis128": (128, 128),
    "davis208": (208, 192),
    "davis240": (240, 180),
    "davis346": (346, 260),
    "davis640": (640, 480),
    "dvxplorer lite": (320, 240),
    "dvxplorer": (640, 480),
}
"""By the name of a camera in a header, pixels across and down."""
_HEADER_LINE = re.compile(rb"#[\x20-\x7e\x80-\xff\t]*(?:\r\n|\n|\r|$)")


def read_aedat(path: Path) -> Recording:
    """A recording of any of these versions.

    Raises:
        InputError: the file is none, is cut off, or is of version 4.0 and the package aedat is not installed.
    """
    data = contents(path)
    version = re.match(rb"#!AER-DAT(\d\.\d)", data)
    if version is None:
        raise InputError(f"{path}: does not begin with #!AER-DAT and a version; may be 2.0, 3.1 or 4.0")
    if version[1] == b"4.0":
        return _version_4(path, data)
    header, end = _header(data)
    if version[1] == b"2.0":
        return _version_2(path, header, data[end:])
    if version[1] == b"3.1":
        return _version_3(path, header, data[end:])
    raise InputError(f"{path}: is AEDAT {version[1].decode()}; may be 2.0, 3.1 or 4.0: convert it with DV")


def _header(data: bytes) -> tuple[str, int]:
    """The lines at the head of a file, and where they end."""
    end = 0
    while (line := _HEADER_LINE.match(data, end)) is not None and end < len(data):
        end = line.end()
        if line[0].startswith(b"#!END-HEADER"):
            break
    return data[:end].decode("latin-1"), end


def _sensor(header: str, line: str) -> tuple[int, int] | None:
    """The pixels of the camera that a line of the header names."""
    found = re.search(line, header)
    name = "" if found is None else found[1].lower()
    return next((size for model, size in SENSORS.items() if model in name), None)


def _version_2(path: Path, header: str, body: bytes) -> Recording:
    """Eight bytes an event, big-endian.

    Of a DVS128 an address is bit 0 polarity, bits 1 to 7 column, bits 8 to 14 row; of a DAVIS bit 11 polarity, bits 12
    to 21 column, bits 22 to 30 row, and what has bit 31 or bit 10 set is no change of brightness. Rows count from the
    bottom in both.
    """
    if len(body) % V2_EVENT.itemsize:
        raise InputError(f"{path}: ends inside an event, {len(body) % V2_EVENT.itemsize} of 8 bytes; {AGAIN}")
    events = np.frombuffer(body, V2_EVENT)
    sensor = _sensor(header, r"AEChip:\s*(\S+)")
    address, t = events["address"].astype(np.int64), unwrapped(events["t"])
    if sensor in (None, SENSORS["dvs128"]) and (address < 2**16).all():
        real = address >> 15 == 0
        address, t, sensor = address[real], t[real], SENSORS["dvs128"]
        x, y, p = address >> 1 & 0x7F, address >> 8 & 0x7F, address & 1
    else:
        real = (address >> 31 == 0) & (address >> 10 & 1 == 0)
        address, t = address[real], t[real]
        x, y, p = address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1
    if sensor is None:
        raise InputError(
            f"{path}: does not say which camera its addresses are of; its header needs a line '# AEChip: NAME', where "
            f"NAME is one of {', '.join(SENSORS)}"
        )
    return Recording(t, x, sensor[1] - 1 - y, p, sensor)


def _version_3(path: Path, header: str, body: bytes) -> Recording:
    """Packets of 28 bytes and their events, little-endian; those of changes of brightness have eight bytes an event.

    An address is bit 0 valid, bit 1 polarity, bits 2 to 16 row, bits 17 to 31 column.
    """
    packets = list(_packets(path, body))
    address = np.concatenate([np.zeros(0, np.int64), *(each for each, _ in packets)])
    t = np.concatenate([np.zeros(0, np.int64), *(each for _, each in packets)])
    return Recording(t, address >> 17, address >> 2 & 0x7FFF, address >> 1 & 1, _sensor(header, r"#Source \d+:\s*(.+)"))


def _packets(path: Path, body: bytes) -> Iterator[tuple[IntArray, IntArray]]:
    """Addresses and times of each packet of changes of brightness."""
    place = 0
    while place < len(body):
        if place + V3_PACKET.itemsize > len(body):
            raise InputError(f"{path}: ends inside the header of a packet; {AGAIN}")
        packet = np.frombuffer(body, V3_PACKET, 1, place)[0]
        place += V3_PACKET.itemsize
        size, number = int(packet["size"]), int(packet["number"])
        if size < 1 or number < 0:
            raise InputError(f"{path}: has a packet of {number} events of {size} bytes; it is damaged: {AGAIN}")
        if place + size * number > len(body):
            held = (len(body) - place) // size
            raise InputError(f"{path}: ends inside a packet, after {held} of its {number} events; {AGAIN}")
        if packet["kind"] & 0xFFFF == POLARITY_PACKET:
            if size != V3_EVENT.itemsize:
                raise InputError(f"{path}: has changes of brightness of {size} bytes; they have {V3_EVENT.itemsize}")
            events = np.frombuffer(body, V3_EVENT, number, place)
            if int(packet["valid"]) != number:
                events = events[events["address"] & 1 == 1]
            yield events["address"].astype(np.int64), events["t"].astype(np.int64) + (int(packet["overflow"]) << 31)
        place += size * number


def _version_4(path: Path, data: bytes) -> Recording:
    """Packets in flat buffers, decompressed and read by the package aedat; of several streams of events the first."""
    aedat = needed("aedat", "events", "AEDAT 4.0")
    _check_packets(path, data)
    try:
        with _panics():
            return _decoded(path, aedat)
    except (RuntimeError, OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: {NOT_V4} ({error}); {AGAIN}") from error


def _check_packets(path: Path, data: bytes) -> None:
    """Refuse packets that go beyond the file: the package asks for their memory before it reads them, and ends with
    the process where it gets none. It also ends with it over a description of the streams that is not UTF-8.
    """
    try:
        (length,) = struct.unpack_from("<I", data, V4_MAGIC)
        _description(data).decode()
        place, end = V4_MAGIC + 4 + length, _end_of_packets(data)
        while place < end:
            place += 8 + struct.unpack_from("<iI", data, place)[1]
    except struct.error as error:
        raise InputError(f"{path}: {NOT_V4} (it ends inside the head of a packet); {AGAIN}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: {NOT_V4} (its description is not UTF-8); {AGAIN}") from error
    if place > len(data):
        raise InputError(f"{path}: {NOT_V4} (it ends inside a packet); {AGAIN}")


def _end_of_packets(data: bytes) -> int:
    """Where the table of packets begins, as the second field of the header's flat buffer says; else the file's end."""
    place = _field(data, 1)
    position = -1 if place is None else struct.unpack_from("<q", data, place)[0]
    return position if 0 < position <= len(data) else len(data)


def _description(data: bytes) -> bytes:
    """The text about the streams, the third field of the header's flat buffer; empty where there is none."""
    place = _field(data, 2)
    if place is None:
        return b""
    place += struct.unpack_from("<I", data, place)[0]
    (length,) = struct.unpack_from("<I", data, place)
    return data[place + 4 : place + 4 + length]


def _field(data: bytes, number: int) -> int | None:
    """Where a field of the header's flat buffer stands; None where it has none of this number."""
    start = V4_MAGIC + 4
    root = start + struct.unpack_from("<I", data, start)[0]
    fields = root - struct.unpack_from("<i", data, root)[0]
    entry = 4 + 2 * number
    (size,), (offset,) = struct.unpack_from("<H", data, fields), struct.unpack_from("<H", data, fields + entry)
    return root + offset if size >= entry + 2 and offset else None


@contextmanager
def _panics() -> Iterator[None]:
    """What the package, which is written in Rust, raises where it gives up; no error of Python's own kind."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(str(error)) from None


def _decoded(path: Path, aedat: Any) -> Recording:
    decoder = aedat.Decoder(str(path))
    streams = {number: each for number, each in decoder.id_to_stream().items() if each["type"] == "events"}
    if not streams:
        raise InputError(f"{path}: has no stream of events; record events, not frames alone")
    stream = min(streams)
    packets = [packet["events"] for packet in decoder if packet["stream_id"] == stream]
    sensor = streams[stream]["width"], streams[stream]["height"]
    if not packets:
        none = np.zeros(0, np.int64)
        return Recording(none, none, none, none, sensor)
    events = np.concatenate(packets)
    t, x, y, p = (events[name].astype(np.int64) for name in ("t", "x", "y", "on"))
    return Recording(t, x, y, p, sensor)
