"""What a server is told when it starts."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

from gsrec.data.columns import Columns
from gsrec.errors import ConfigError

FEWEST_CACHED = 64
"""Sessions whose states are made together: with fewer in memory they would push each other out before they are done."""

MOST_DAYS = 36_525
"""A century: more is for ever, and more than stores can count."""

IN_MEMORY = ":memory:"
"""Where sessions are that end with the process."""


@dataclass(frozen=True)
class Settings:
    """What a server serves, to whom, and where it keeps sessions.

    Attributes:
        bundles: bundles or run folders; the first is the default model.
        indexes: folders of `gsrec index`, each for one of the models.
        titles: a table with columns such as item_id and title, in any format that a log can have.
        log: a log whose users can be replayed.
        columns: of that log.
        sessions: a file for SQLite, an address of Redis (`redis://`, `rediss://`, `unix://`), or `:memory:`.
        session_days: days after which a session without events is gone.
        keys: the file of `gsrec keys new`; None: no keys, for this machine alone.
        rate: requests a minute that each key may make; None: any number.
        durable: whether an acknowledged event also outlives a power cut (SQLite); otherwise the end of the process.
        host: the address to listen at.
        port: the port to listen at; 0: a free one.
        cached_sessions: how many sessions have their state in memory, at least 64; others are computed again from
            their events.
    """

    bundles: tuple[Path, ...]
    indexes: tuple[Path, ...] = ()
    titles: Path | None = None
    log: str | None = None
    columns: Columns = Columns()
    sessions: str = field(default=IN_MEMORY, repr=False)  # an address may hold a password
    session_days: float = 30.0
    keys: Path | None = None
    rate: int | None = None
    durable: bool = False
    host: str = "127.0.0.1"
    port: int = 8000
    cached_sessions: int = 5_000

    def __post_init__(self) -> None:
        """Check what can be checked before anything is opened."""
        if not self.bundles:
            raise ConfigError("a server needs at least one bundle or run folder to serve, found none")
        names = [model_name(path) for path in self.bundles]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"two bundles are called {twice[0]!r}. Models go by their folders' names: rename one.")
        is_address = "://" in self.sessions
        if not self.sessions.strip() or (self.sessions.startswith(("redis:", "rediss:", "unix:")) and not is_address):
            raise ConfigError(
                "sessions are kept in a file of SQLite, at an address of Redis such as redis://localhost:6379, or in "
                f"{IN_MEMORY}, found {'another address' if self.sessions.strip() else 'an empty name'}"
            )
        if not 0 < self.session_days <= MOST_DAYS:
            told = f"sessions must be kept more than 0 days and at most {MOST_DAYS:,}"
            raise ConfigError(f"{told}, found {self.session_days}")
        if self.cached_sessions < FEWEST_CACHED:
            raise ConfigError(
                f"at least {FEWEST_CACHED} sessions must have room in memory, found {self.cached_sessions}"
            )
        if self.rate is not None and self.rate < 1:
            raise ConfigError(f"the rate must allow at least 1 request a minute, found {self.rate}")
        if self.keys is None and not is_loopback(self.host):
            raise ConfigError(
                f"without keys a server listens for this machine alone (127.0.0.1), found {self.host!r}. "
                "Make a key with `gsrec keys new --name NAME --file FILE` and give --keys FILE."
            )


def model_name(path: Path) -> str:
    """What a model is called: the name of its folder, or of its file without the ending.

    Of a link it is the link's own name, wherever it leads now or after a reload.
    """
    return Path(os.path.abspath(path)).name.removesuffix(".gsrec")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this address or name.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
