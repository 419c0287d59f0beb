"""One JSON object per line on stdout, so that a log collector needs no pattern."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import override

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request that is being served; part of every line it causes."""

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}

_FIELD_CHARACTERS = 4_000
_ERROR_CHARACTERS = 16_000


def _short(text: str, most: int = _FIELD_CHARACTERS) -> str:
    """Return a text without its middle when it is too long for a line."""
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 2 :]}"


def _field(value: object) -> object:
    """Return what JSON has for a value, or a bounded text; a line is never lost for one of its fields."""
    if isinstance(value, str):
        return _short(value)
    try:
        written = json.dumps(value, default=str, allow_nan=False)
        return json.loads(written) if len(written) <= _FIELD_CHARACTERS else _short(written)
    except Exception:  # noqa: BLE001  # whatever a value's own code raises
        return _shown(value)


def _shown(value: object) -> str:
    try:
        return _short(str(value))
    except Exception:  # noqa: BLE001  # as above
        return f"a {type(value).__name__} that cannot be written"


class JsonFormatter(logging.Formatter):
    """Renders a record together with its `extra` fields."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._message(record),
        }
        if (current := request_id.get()) is not None:
            line["request_id"] = current
        for name, value in vars(record).items():
            if name not in _OWN_FIELDS:
                # What a line says of itself, no field replaces.
                line[f"extra_{name}" if name in line or name == "error" else name] = _field(value)
        if record.exc_info:
            line["error"] = _short(self.formatException(record.exc_info), _ERROR_CHARACTERS)
        return json.dumps(line)

    def _message(self, record: logging.LogRecord) -> str:
        try:
            return _short(record.getMessage())
        except Exception:  # noqa: BLE001  # arguments that do not fit, or that cannot be written
            return f"{_shown(record.msg)} (its arguments cannot be written)"


def log_to_stdout(level: str) -> None:
    """Log everything to stdout; chatty libraries from WARNING up."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx2", "httpcore2", "uvicorn.access", "alembic", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
