"""Images in class folders, read by Pillow."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ..base.errors import InputError, arg, refuse
from .array_file import IN_MEMORY
from .folders import Listing
from .found import Found
from .options import Colors, ReadingOptions
from .rows import Array, Chosen, Rows, indices_of

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
OPTIONS = ("group", "image_size", "colors")
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM")
"""Formats that Pillow may read here; it knows others, some of which start programs."""
_GREY, _COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")
_ORIENTATION = 0x0112
"""The number of the tag by which a camera says how it was held."""
_TURNED = (5, 6, 7, 8)
"""Orientations that swap height and width."""
_NEVER_TURNED = "PNG"
"""A format of no camera, whose tags may stand behind the pixels."""
_UNREADABLE = (
    OSError, SyntaxError, ValueError, MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
SHOWN = 3
"""Files that a message names where many have the same fault."""


class ImageFiles:
    """Images of one size, decoded when they are asked for: ``(n, channels, height, width)`` of bytes."""

    def __init__(self, files: Sequence[Path], size: tuple[int, int], colors: Colors) -> None:
        """Describe images.

        Args:
            size: height and width to which images of another size are resized, bilinearly and smoothed where they
                become smaller.
        """
        self._files, self._size, self._colors = files, size, colors
        self.shape = (len(files), 1 if colors == "grey" else 3, *size)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        self.ndim = 4

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, rows: Chosen) -> Array:
        indices = indices_of(rows, len(self))
        made = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for place, index in enumerate(indices):
            made[place] = self._decoded(self._files[index])
        return made

    def _decoded(self, file: Path) -> Array:
        """One image, ``(channels, height, width)``.

        Raises:
            InputError: a damaged file.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(file, formats=_FORMATS) as image:
                    upright = _upright(image).convert("L" if self._colors == "grey" else "RGB")
        except _UNREADABLE as error:
            why = "it claims more than the memory holds" if isinstance(error, MemoryError) else error
            raise InputError(f"{file}: cannot be read as an image ({why}); replace it, or leave it out") from error
        pixels = np.asarray(_resized(upright, self._size))
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _upright(image: Image.Image) -> Image.Image:
    """An image turned as its camera was held."""
    return image if image.format == _NEVER_TURNED else ImageOps.exif_transpose(image) or image


def pixels_of(image: Image.Image, options: ReadingOptions) -> Array:
    """An image in memory as bytes, ``(channels, height, width)``, in the size and colours that are asked for."""
    colors: Colors = options.colors or ("grey" if image.mode in _GREY else "rgb")
    made = _resized(image.convert("L" if colors == "grey" else "RGB"), options.image_size or image.size[::-1])
    pixels = np.asarray(made)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """An image of this height and width."""
    if image.size == size[::-1]:
        return image
    return image.resize(size[::-1], Image.Resampling.BILINEAR)


def read_images(listing: Listing, options: ReadingOptions) -> Found:
    """The images of class folders as bytes; those of large folders are decoded when they are asked for.

    Raises:
        InputError: damaged files, sizes or colours that differ, or pixels of more than 8 bits; all faults at once.
    """
    where = str(listing.root)
    headers = _headers(where, listing.every)
    sizes = Counter(size for size, _ in headers)
    kinds: Counter[Colors] = Counter(kind for _, kind in headers)
    faults = []
    if len(sizes) > 1 and options.image_size is None:
        some = ", ".join(f"{count} of {h} x {w}" for (h, w), count in sizes.most_common(SHOWN))
        more = f" and {len(sizes) - SHOWN} other sizes" if len(sizes) > SHOWN else ""
        faults.append(
            f"its images have several sizes, height x width: {some}{more}; give {arg('image_size', '32x32')} or "
            "another size, to which all are resized"
        )
    if len(kinds) > 1 and options.colors is None:
        some = " and ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        ways = f"{arg('colors', 'grey')} or {arg('colors', 'rgb')}"
        faults.append(f"its images are of several kinds, {some}; give {ways}")
    refuse(where, faults)
    size = options.image_size or next(iter(sizes))
    colors = next(iter(kinds)) if options.colors is None else options.colors
    resized = sum(count for each, count in sizes.items() if each != size)
    notes = [*listing.notes, *([f"{resized} images were resized to {size[0]} x {size[1]}"] if resized else [])]
    reading = {"image_size": options.image_size and list(options.image_size), "colors": options.colors}
    return Found(
        listing.root.name,
        {part: (_rows(files, size, colors), np.array(listing.classes[part])) for part, files in listing.files.items()},
        listing.groups(options.group),
        layout="images",
        notes=tuple(notes),
        reading={name: value for name, value in reading.items() if value is not None},
        identity=listing.identity,
    )


def _rows(files: Sequence[Path], size: tuple[int, int], colors: Colors) -> Rows:
    """Images in memory where they are few, else decoded when they are asked for."""
    rows = ImageFiles(files, size, colors)
    return rows[:] if prod(rows.shape) <= IN_MEMORY else rows


def _headers(where: str, files: Sequence[Path]) -> list[tuple[tuple[int, int], Colors]]:
    """Height and width, and grey or colour, of each image.

    Raises:
        InputError: damaged files, or pixels of more than 8 bits; all faults at once.
    """
    found: list[tuple[tuple[int, int], Colors]] = []
    damaged: list[str] = []
    deep: list[str] = []
    for file in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                with Image.open(file, formats=_FORMATS) as image:
                    turned = image.format != _NEVER_TURNED and image.getexif().get(_ORIENTATION) in _TURNED
                    mode, (width, height) = image.mode, image.size
        except _UNREADABLE:
            damaged.append(str(file))
            continue
        if mode not in (*_GREY, *_COLOUR):
            deep.append(str(file))
            continue
        found.append(((width, height) if turned else (height, width), "grey" if mode in _GREY else "rgb"))
    faults = [f"{each}: cannot be read as an image; replace it, or leave it out" for each in damaged[:SHOWN]]
    if len(damaged) > SHOWN:
        faults.append(f"{len(damaged) - SHOWN} other files cannot be read as images either")
    if deep:
        faults.append(f"{deep[0]} has pixels of more than 8 bits, {len(deep)} files in all; save them with 8 bits")
    refuse(where, faults)
    return found
