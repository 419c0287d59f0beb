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


def _short(value: object, most: int = _FIELD_CHARACTERS) -> object:
    """Return a text without its middle when it is too long for a line."""
    if not isinstance(value, str) or len(value) <= most:
        return value
    return f"{value[: most // 2]} … {value[-most // 2 :]}"


class JsonFormatter(logging.Formatter):
    """Renders a record together with its `extra` fields."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _short(record.getMessage()),
        }
        if (current := request_id.get()) is not None:
            line["request_id"] = current
        line |= {name: _short(value) for name, value in vars(record).items() if name not in _OWN_FIELDS}
        if record.exc_info:
            line["error"] = _short(self.formatException(record.exc_info), _ERROR_CHARACTERS)
        return json.dumps(line, default=str)


def log_to_stdout(level: str) -> None:
    """Log everything to stdout; chatty libraries from WARNING up."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx2", "httpcore2", "uvicorn.access", "alembic", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
