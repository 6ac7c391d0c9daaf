"""The server's log: one JSON object a line, about the server and never about its users."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback

LOGGER = logging.getLogger("gsrec.serving")
FIELDS = "gsrec_fields"


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object: `time` (UTC), `level`, `event`, and what else was told.

    Of an exception it tells the kind and the places in the code, not the message, which may hold what a user sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        told: dict[str, object] = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage()}
        told |= getattr(record, FIELDS, {})
        if record.exc_info and record.exc_info[1] is not None:
            told |= _kind_and_place(record.exc_info[1])
        return json.dumps(told, ensure_ascii=False)


def log(event: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: object) -> None:
    """Write down what happened to the server; never items, sessions or keys."""
    LOGGER.log(level, event, extra={FIELDS: fields}, exc_info=error)


def set_up_logs() -> None:
    """Let this process write JSON lines on stderr, those of the HTTP server too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("gsrec.serving", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def _kind_and_place(error: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)[-5:]
    return {"error": type(error).__name__, "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}
