"""Documents that are kept compressed, unpacked piece by piece."""

import zlib
from collections.abc import Iterator

CHUNK_BYTES = 64 * 1024


def unpacked(document: bytes) -> Iterator[bytes]:
    """Yield a document that zlib compressed, in pieces of at most `CHUNK_BYTES`, never all of it at once."""
    reader = zlib.decompressobj()
    rest = document
    while rest:
        yield reader.decompress(rest, CHUNK_BYTES)
        rest = reader.unconsumed_tail
    yield reader.flush()
