"""What Python's own readers of archives and arrays raise on a file that is damaged, or made to harm."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib

UNPACKING = (
    *(OSError, EOFError, ValueError, OverflowError, RuntimeError, NotImplementedError, LookupError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
"""Of archives: of their directory, of a member that is packed in an unknown way or has a password, of its content."""
ARRAYS = (*UNPACKING, tokenize.TokenError, SyntaxError)
"""Of NumPy's files, besides: of the header, which is read as a Python value."""
