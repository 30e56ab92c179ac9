"""Structure-aware changes of small binary formats: events, sounds, pictures, IDX and CIFAR."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from random import Random
from typing import Any

import numpy as np
import scipy.io
from PIL import Image

from .formats import Change
from .value_changes import changed_array, changed_tree


def of_records(dtype: Any, head: int | bytes = 0) -> Change:
    """Records of fixed size behind a head: fields of records, and the lines of the head.

    Args:
        head: bytes of the head, or what its last line begins with; lines that begin with it go on behind it.
    """
    kind = np.dtype(dtype)

    def change(data: bytes, random: Random) -> bytes:
        end = head if isinstance(head, int) else _end_of_head(data, head)
        count = (len(data) - end) // kind.itemsize
        records = np.frombuffer(data, kind, count, end).copy()
        first = data[:end]
        if random.random() < 0.25 and first:
            lines = changed_tree([line.split(b" ") for line in first.split(b"\n")], random)
            first = _joined(lines)
        else:
            records = _changed_records(records, random)
        return first + records.tobytes() + random.choice((b"", b"", b"", b"\0", data[-3:]))

    return change


def _end_of_head(data: bytes, mark: bytes) -> int:
    end = data.rfind(mark)
    line = data.find(b"\n", end)
    return line + 1 if end >= 0 <= line else 0


def _joined(lines: Any) -> bytes:
    lines = lines if isinstance(lines, list) else [lines]
    rows = [line if isinstance(line, list) else [line] for line in lines]
    return b"\n".join(b" ".join(_bytes(word) for word in row) for row in rows)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


def _changed_records(records: Any, random: Random) -> Any:
    """Records with other values, in another order, fewer or more."""
    way = random.choice(("value", "value", "value", "column", "order", "fewer", "more"))
    if not len(records) or way == "more":
        return np.concatenate([records, np.zeros(3, records.dtype), records[:5]])
    if way == "order":
        return records[random.choice((slice(None, None, -1), slice(None, None, 3)))]
    if way == "fewer":
        return records[: random.choice((0, 1, 2))]
    name = random.choice(records.dtype.names)
    whole = records[name]
    bits = 8 * records.dtype[name].itemsize
    value = random.choice((0, 1, 2**bits - 1, 2 ** (bits - 1), random.getrandbits(bits)))
    made = np.frombuffer(int(value).to_bytes(bits // 8, "little"), whole.dtype)[0]
    whole[: len(whole) if way == "column" else 0] = made
    whole[random.randrange(len(whole))] = made
    return records


V3_EVENT = np.dtype([("address", "<u4"), ("t", "<i4")])


def of_aedat3(data: bytes, random: Random) -> bytes:
    """Packets of AEDAT 3.1: a number in the header of one becomes another, or its events do."""
    end = data.index(b"#!END-HEADER\r\n") + 14
    head, packets, place = data[:end], [], end
    while place < len(data):
        header = list(struct.unpack_from("<hhiiiiii", data, place))
        body = data[place + 28 : place + 28 + header[2] * header[6]]
        packets.append((header, body))
        place += 28 + len(body)
    chosen = random.randrange(len(packets))
    header, body = packets[chosen]
    if random.random() < 0.5:
        number = random.randrange(8)
        bits = 16 if number < 2 else 32
        header[number] = random.choice((0, 1, -1, 8, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), random.randint(0, 300)))
    else:
        events = _changed_records(np.frombuffer(body, V3_EVENT).copy(), random)
        body = events.tobytes()
        header[6] = header[7] = len(events) if random.random() < 0.7 else header[6]
    packets[chosen] = header, body
    return head + b"".join(struct.pack("<hhiiiiii", *header) + body for header, body in packets)


def of_mat(data: bytes, random: Random) -> bytes:
    """MATLAB's matrices."""
    found = {name: value for name, value in scipy.io.loadmat(io.BytesIO(data)).items() if not name.startswith("__")}
    tree = changed_tree(found, random)
    buffer = io.BytesIO()
    arrays = tree if isinstance(tree, dict) else {"x": tree}
    named = {f"a{number}": value for number, value in enumerate(arrays.values()) if value is not None}
    try:
        scipy.io.savemat(buffer, named, do_compression=random.random() < 0.3)
    except (TypeError, ValueError, OverflowError):
        scipy.io.savemat(buffer := io.BytesIO(), {"x": changed_array(next(iter(found.values())), random).real})
    return buffer.getvalue()


def of_wav(data: bytes, random: Random) -> bytes:
    """Chunks of a RIFF file: numbers of the format, sizes, order, the samples."""
    chunks, place = [], 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        chunks.append((name, data[place + 8 : place + 8 + size]))
        place += 8 + size
    way = random.choice(("format", "format", "format", "size", "order", "samples"))
    said = {number: len(body) for number, (_, body) in enumerate(chunks)}
    if way == "format":
        fields = list(struct.unpack_from("<HHIIHH", chunks[0][1]))
        number = random.randrange(6)
        top = 2**32 - 1 if number in (2, 3) else 2**16 - 1
        fields[number] = random.choice((0, 1, 2, 3, 8, 24, 32, 64, 999, 1000, 8000, top, 0xFFFE)) & top
        chunks[0] = chunks[0][0], struct.pack("<HHIIHH", *fields) + chunks[0][1][16:]
    elif way == "size":
        said[random.randrange(len(chunks))] = random.choice((0, 1, 15, 17, 2**31, 2**32 - 1))
    elif way == "order":
        random.shuffle(chunks)
    else:
        samples = changed_array(np.frombuffer(chunks[-1][1], "<i2"), random)
        chunks[-1] = chunks[-1][0], samples.astype("<i2").tobytes() if samples.dtype.kind in "iuf" else b""
    body = b"".join(
        name + said.get(number, len(each)).to_bytes(4, "little") + each for number, (name, each) in enumerate(chunks)
    )
    return b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WAVE" + body


def of_png(data: bytes, random: Random) -> bytes:
    """Chunks of a PNG file with right checksums; or the picture in another format, mode or size."""
    if random.random() < 0.4:
        return _another_picture(data, random)
    chunks, place = [], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + size]))
        place += 12 + size
    chosen = random.randrange(len(chunks))
    name, body = chunks[chosen]
    if name == b"IHDR":
        fields = list(struct.unpack(">IIBBBBB", body))
        number = random.randrange(7)
        top = 2**32 - 1 if number < 2 else 255
        fields[number] = random.choice((0, 1, 2, 3, 4, 6, 8, 16, 20_000, 2**31 - 1, top)) & top
        chunks[chosen] = name, struct.pack(">IIBBBBB", *fields)
    else:
        others = [(name, body[: len(body) // 2]), (name, zlib.compress(bytes(10**6))), (name, b""), (b"IEND", b"")]
        texts = (b"Comment\0" + b"x" * 100, b"Comment\0\0" + zlib.compress(bytes(3 * 10**7)))
        others += [(b"tEXt", texts[0]), (b"zTXt", texts[1]), (b"eXIf", b"II*\0" + b"\xff" * 20), (b"PLTE", b"\0" * 4)]
        chunks.insert(chosen, random.choice(others))
    made = b"".join(
        len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big") for name, body in chunks
    )
    return data[:8] + made


def _another_picture(data: bytes, random: Random) -> bytes:
    picture = Image.open(io.BytesIO(data))
    size = random.choice((picture.size, (1, 1), (1, 200), (7, 9), (300, 300)))
    mode = random.choice(("1", "L", "P", "RGB", "RGBA", "LA", "I", "I;16", "CMYK", "F"))
    form = random.choice(("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"))
    buffer = io.BytesIO()
    try:
        picture.convert(mode).resize(size).save(buffer, form)
    except (OSError, ValueError, KeyError):
        picture.save(buffer := io.BytesIO(), "BMP")
    return buffer.getvalue()


def of_idx(data: bytes, random: Random) -> bytes:
    """A number of an IDX header becomes another, or the bytes behind it do."""
    axes = data[3]
    numbers = list(struct.unpack_from(f">{axes}I", data, 4))
    body, magic = data[4 + 4 * axes :], bytearray(data[:4])
    way = random.choice(("magic", "axis", "body", "body"))
    if way == "magic":
        magic[random.randrange(4)] = random.choice((0, 1, 2, 8, 9, 13, 255))
    elif way == "axis":
        number = random.randrange(axes)
        numbers[number] = random.choice((0, 1, numbers[number] + 1, 60_000, 60_001, 2**31, 2**32 - 1))
    else:
        body = bytes(changed_array(np.frombuffer(body, np.uint8), random).tobytes())[: 2**20]
    return bytes(magic) + struct.pack(f">{axes}I", *numbers) + body


def of_tar(data: bytes, random: Random) -> bytes:
    """Members of a packed archive: renamed, of another kind, twice, or longer and shorter than they should be."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        members = [(each, archive.extractfile(each).read()) for each in archive if each.isreg()]  # type: ignore[union-attr]
    place = random.randrange(len(members))
    info, body = members[place]
    way = random.choice(("body", "body", "less", "twice", "link", "name", "size"))
    if way == "body":
        body = random.choice((body[:-1], body + b"\0", b"", bytes([255]) + body[1:], body * 20))
    elif way == "link":
        info.type, info.linkname = random.choice((tarfile.SYMTYPE, tarfile.LNKTYPE)), "../elsewhere/weights.bin"
    elif way == "name":
        info.name = random.choice((f"../{info.name}", f"/etc/{info.name}", "x", info.name * 20))
    info.size = len(body) if info.isreg() else 0
    members[place : place + 1] = [] if way == "less" else [(info, body)] * (2 if way == "twice" else 1)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for each, content in members:
            archive.addfile(each, io.BytesIO(content))
    return buffer.getvalue()


def of_numbers(data: bytes, random: Random) -> bytes:
    """Flat buffers of AEDAT 4.0: an aligned number, such as a size or an offset, or a word of the XML, is another."""
    made = bytearray(data)
    if random.random() < 0.3:
        first, last = data.index(b"<dv"), data.index(b"</dv>") + 5
        words = changed_tree(data[first:last].decode().split('"'), random)
        text = '"'.join(map(str, words) if isinstance(words, list) else [str(words)]).encode(errors="replace")
        return data[:first] + text.ljust(last - first)[: last - first] + data[last:]
    for _ in range(random.choice((1, 1, 2))):
        place = random.randrange(14, min(len(data), 900) - 8) // 2 * 2
        size = random.choice((2, 4))
        value = random.choice((0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 4, 8, 16, 24, random.getrandbits(16)))
        made[place : place + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(made)
