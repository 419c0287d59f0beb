"""Parses the XML of nmap and masscan (`-oX -`) from a foreign collector, as it is written.

Hostile input like any collector's: the parser resolves nothing, an entity or a document type with content
ends the reading, and every text is cut. Results are numbered in order, so that reading the same output again
numbers them the same way. Nothing that looks like a result is dropped without a warning.

A script that calls its scanner once for each host writes one document after another; they are read as one.
"""

from xml.parsers.expat import ExpatError

from dryrun_contract.discovery import DiscoveryLine, EndLine, ProgressLine
from dryrun_orchestrator.readers.nmap_host import (
    MAX_CPES,
    MAX_OPEN_PORTS,
    MAX_TEXT_CHARACTERS,
    ReadHost,
    ReadPort,
    TooManyPortsError,
    cut,
)
from dryrun_orchestrator.readers.sealed_xml import MAX_DEPTH, MAX_DOCUMENTS, SLICE_BYTES, SealedParser
from dryrun_orchestrator.readers.words import Word, warning

MAX_KNOWN_HOSTS = 65_536
"""Addresses kept to report a host once; masscan repeats it for each of its ports."""
DOCUMENT_END = b"</nmaprun>"
_BLANK = b" \t\r\n"


class _RefusedError(Exception):
    pass


class NmapOutput:
    """Incremental parser: `feed` returns what is now complete."""

    def __init__(self) -> None:
        self._words: list[Word] = []
        self._discoveries = 0
        self._hosts: set[str] = set()
        self._documents = 0
        self._failed = False
        """Some document did not end in success."""
        self._over = False
        """Set when nothing more is read: the output is not a scanner's."""
        self._inside = False
        """Between the first byte of a document and its end."""
        self._tail = b""
        """The last bytes of a document so far: its end tag may arrive in pieces."""
        self._begin()

    def feed(self, data: bytes) -> list[Word]:
        """Take the next bytes."""
        return self._parse(data, final=False)

    def finish(self) -> list[Word]:
        """Return warnings about an output that ends here."""
        return self._parse(b"", final=True)

    def _begin(self) -> None:
        """Get ready for a document."""
        # nmap writes <!DOCTYPE nmaprun>, with nothing in it.
        self._parser = SealedParser(
            _RefusedError, start=self._start, end=self._end, characters=self._characters
        )
        self._path: list[str] = []
        self._host: ReadHost | None = None
        self._text: str | None = None
        self._ended_as: str | None = None
        """What `<finished>` says: `success`, or an error; None while there was none."""

    def _parse(self, data: bytes, *, final: bool) -> list[Word]:
        if not self._over:
            try:
                self._parse_documents(data)
                if final:
                    self._end_output()
            except (ExpatError, _RefusedError) as error:
                self._over = True
                self._words.append(warning(f"the output is not what nmap or masscan writes: {error}"))
        words, self._words = self._words, []
        return words

    def _parse_documents(self, data: bytes) -> None:
        while data:
            if not self._inside:
                data = data.lstrip(_BLANK)
                if not data:
                    return
                self._start_document()
            # No attribute contains `<`, so this is an end tag, or a comment that no scanner writes.
            found = (self._tail + data).find(DOCUMENT_END)
            if found < 0:
                self._parse_slices(data)
                self._tail = (self._tail + data)[-len(DOCUMENT_END) + 1 :]
                return
            end = found + len(DOCUMENT_END) - len(self._tail)
            self._parse_slices(data[:end])
            self._parser.finish()
            self._end_document()
            data = data[end:]

    def _start_document(self) -> None:
        self._inside = True
        self._documents += 1
        if self._documents > MAX_DOCUMENTS:
            raise _RefusedError(f"it has more than {MAX_DOCUMENTS} documents")
        if self._documents > 1:
            # Takes the place of the end line of the document before, should this one be cut.
            message = f"document {self._documents} of the output"
            self._words.append(ProgressLine(done=self._documents - 1, message=message))

    def _end_document(self) -> None:
        if self._ended_as != "success":
            self._failed = True
            why = self._ended_as or "there is no <finished> in it"
            self._words.append(warning(f"a scan did not end in success: {why}"))
        if not self._failed:
            self._words.append(EndLine(discoveries=self._discoveries))
        self._inside = False
        self._tail = b""
        self._begin()

    def _end_output(self) -> None:
        if self._inside:
            cut_at = ""
            try:
                self._parser.finish()
            except ExpatError as error:
                cut_at = f" ({error})"
            raise _RefusedError(f"it ends without {DOCUMENT_END.decode()}{cut_at}")
        if not self._documents:
            raise _RefusedError("it is empty; masscan writes nothing when it finds nothing")

    def _parse_slices(self, data: bytes) -> None:
        # In slices, so that little passes between two checks.
        for start in range(0, len(data), SLICE_BYTES):
            self._parser.parse(data[start : start + SLICE_BYTES])

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != "nmaprun":
            raise _RefusedError(f"it begins with <{name}>")
        if len(self._path) == MAX_DEPTH:
            raise _RefusedError(f"it is nested deeper than {MAX_DEPTH} levels")
        # Paths are joined for each element; nmap has no name of 40 characters.
        self._path.append(name[:40])
        place = "/".join(self._path[1:])
        if place == "host":
            self._host = ReadHost()
        elif self._host is not None:
            self._start_in_host(place, self._host, attributes)
        elif place == "taskprogress":
            self._progress(attributes)
        elif place == "runstats/finished":
            # masscan writes no `exit`: reaching this element is its success.
            exit_word = attributes.get("exit", "success")
            error = attributes.get("errormsg", exit_word)
            self._ended_as = exit_word if exit_word == "success" else f"it says {cut(error)}"

    def _start_in_host(self, place: str, host: ReadHost, attributes: dict[str, str]) -> None:
        port = host.ports[-1] if host.ports else ReadPort("", "")
        match place:
            case "host/status":
                host.state = cut(attributes.get("state"))
            case "host/address":
                host.read_address(attributes)
            case "host/ports/port":
                try:
                    host.start_port(attributes)
                except TooManyPortsError:
                    raise _RefusedError(f"a host has more than {MAX_OPEN_PORTS} open ports") from None
            case "host/ports/port/state":
                port.state = cut(attributes.get("state"))
            case "host/ports/port/service":
                port.read_service(attributes)
            case "host/ports/port/service/cpe":
                self._text = ""

    def _end(self, _name: str) -> None:
        place = "/".join(self._path[1:])
        self._path.pop()
        if place == "host/ports/port/service/cpe":
            self._keep_cpe()
        elif place == "host/ports/port" and self._host is not None:
            self._host.end_port()
        elif place == "host" and self._host is not None:
            self._tell(self._host)
            self._host = None

    def _tell(self, host: ReadHost) -> None:
        for word in host.discoveries():
            if isinstance(word, DiscoveryLine):
                if word.kind == "host" and not word.data and word.key in self._hosts:
                    continue
                if word.kind == "host" and len(self._hosts) < MAX_KNOWN_HOSTS:
                    self._hosts.add(word.key)
                self._discoveries += 1
            self._words.append(word)

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text = (self._text + text)[:MAX_TEXT_CHARACTERS]

    def _progress(self, attributes: dict[str, str]) -> None:
        try:
            percent = int(float(attributes.get("percent", "0")))
            word = ProgressLine(done=percent, total=100, message=cut(attributes.get("task")))
        except (ValueError, OverflowError):
            said = attributes.get("percent", "")[:80]
            self._words.append(warning(f"a progress that is not a number: {said}"))
            return
        self._words.append(word)

    def _keep_cpe(self) -> None:
        ports = self._host.ports if self._host else []
        if ports and self._text and len(ports[-1].cpes) < MAX_CPES:
            ports[-1].cpes.append(self._text)
        self._text = None
