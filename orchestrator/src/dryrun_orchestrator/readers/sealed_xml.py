"""An XML parser for hostile input: it resolves nothing, and what it keeps is bounded."""

from collections.abc import Callable
from xml.parsers import expat  # every declaration ends the reading, see _refuse

MAX_DEPTH = 32
MAX_NAMES = 1000
"""Distinct element and attribute names, which the parser keeps; nmap's DTD has under 150."""
MAX_TAG_BYTES = 256 * 1024
"""Bytes from one `<` to the next: a start tag with its attributes and the text after it."""
MAX_DOCUMENTS = 10_000
"""One after another in one output; callers count them, and the depth."""
SLICE_BYTES = 64 * 1024
"""The most that is parsed between two checks; callers cut what is longer."""


class SealedParser:
    """Parses one document; raises `refused` for what breaks a bound, and ExpatError for anything but XML."""

    def __init__(
        self,
        refused: type[Exception],
        *,
        start: Callable[[str, dict[str, str]], None],
        end: Callable[[str], None],
        characters: Callable[[str], None],
        may_refer: bool = False,
    ) -> None:
        """Prepare for a document. With `may_refer` it may name a document type, which is not looked up."""
        self._refused = refused
        self._may_refer = may_refer
        self._names: dict[str, str] = {}
        self._since_tag = 0
        """Bytes after the last `<`."""
        self.expat = expat.ParserCreate(intern=self._names)
        self.expat.buffer_text = True
        self.expat.StartElementHandler = start
        self.expat.EndElementHandler = end
        self.expat.CharacterDataHandler = characters
        self.expat.StartDoctypeDeclHandler = self._doctype
        self.expat.EntityDeclHandler = self._refuse
        self.expat.UnparsedEntityDeclHandler = self._refuse
        self.expat.ExternalEntityRefHandler = self._refuse

    def parse(self, data: bytes) -> None:
        """Take the next slice."""
        # No attribute contains `<`, so the distance between two of them bounds the length of a tag.
        first, *others = data.split(b"<")
        self._since_tag += len(first)
        if max(self._since_tag, *map(len, others), 0) > MAX_TAG_BYTES:
            raise self._refused(f"a tag and its text are longer than {MAX_TAG_BYTES} bytes")
        if others:
            self._since_tag = len(others[-1])
        self.expat.Parse(data, False)
        if len(self._names) > MAX_NAMES:
            raise self._refused(f"it has more than {MAX_NAMES} names of elements and attributes")

    def finish(self) -> None:
        """Raise ExpatError if the document has not ended."""
        self.expat.Parse(b"", True)

    def _doctype(self, _name: str, system: str | None, public: str | None, has_content: int) -> None:
        if has_content or ((system or public) and not self._may_refer):
            self._refuse()

    def _refuse(self, *_: object) -> int:
        raise self._refused("it declares a document type or an entity of its own")
