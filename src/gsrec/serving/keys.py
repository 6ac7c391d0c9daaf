"""Keys: who may ask, told by a file that holds no key, only what a key must hash to."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from gsrec.description import Description, first_problem
from gsrec.errors import ConfigError
from gsrec.files import alone, write_json

PREFIX = "gsrec_"
NAME = r"^[A-Za-z0-9_-]{1,64}$"


class KeyEntry(Description):
    """One key as its file has it.

    Attributes:
        name: whose key; sessions belong to this name.
        sha256: of the key. A key is 256 random bits, so that no slow hash is needed.
        admin: whether it may also load bundles again.
    """

    name: str = Field(pattern=NAME)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    admin: bool = False


class KeyFile(Description):
    """All keys of a server."""

    keys: tuple[KeyEntry, ...] = ()


@dataclass(frozen=True)
class KeyRing:
    """The keys that open a server."""

    entries: tuple[KeyEntry, ...]

    def find(self, key: bytes) -> KeyEntry | None:
        """The entry of a key, in a time that does not depend on how much of it is right."""
        digest = _digest(key)
        found = None
        for entry in self.entries:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found


def new_key(path: Path, name: str, *, admin: bool = False) -> str:
    """Make a key, and add what it hashes to to a file, which is made where there is none.

    Returns:
        The key, which is written nowhere.

    Raises:
        ConfigError: if the name is taken or no name, or the file holds something else.
        DataError: if the disk does not take it.
    """
    if not re.fullmatch(NAME, name):
        raise ConfigError(f"a key's name is 1 to 64 letters, digits, - and _; found {name!r}")
    with alone(path):
        entries = read_keys(path).entries if path.exists() else ()
        if name in (entry.name for entry in entries):
            told = "Give another name, or remove that one first: `gsrec keys remove`."
            raise ConfigError(f"{path} has a key named {name!r} already. {told}")
        key = PREFIX + secrets.token_urlsafe(32)
        _write(path, (*entries, KeyEntry(name=name, sha256=_digest(key.encode()), admin=admin)))
    return key


def remove_key(path: Path, name: str) -> None:
    """Take a key out of a file; a server that runs knows it until it loads its keys again.

    Raises:
        ConfigError: if the file cannot be read, or has no key of that name.
        DataError: if the disk does not take it.
    """
    read_keys(path)  # or a lock would be made beside what is not there
    with alone(path):
        entries = read_keys(path).entries
        kept = tuple(entry for entry in entries if entry.name != name)
        if len(kept) == len(entries):
            named = ", ".join(entry.name for entry in entries) or "none"
            raise ConfigError(f"{path} has no key named {name!r}. Its keys: {named}.")
        _write(path, kept)


def read_keys(path: Path) -> KeyRing:
    """The keys of a file.

    Raises:
        ConfigError: if it cannot be read, holds something else, or two keys of one name.
    """
    try:
        entries = KeyFile.model_validate_json(path.read_bytes()).keys
    except OSError as error:
        told = "`gsrec keys new --name NAME --file FILE` makes one."
        raise ConfigError(f"cannot read the keys in {path}: {error.strerror}. {told}") from error
    except ValidationError as error:
        raise ConfigError(f"{path} is no file of keys: {first_problem(error)}") from error
    names = [entry.name for entry in entries]
    if len(names) != len(set(names)):
        raise ConfigError(f"{path} has two keys of one name: sessions belong to a name. Remove one of them.")
    return KeyRing(entries)


def _write(path: Path, entries: tuple[KeyEntry, ...]) -> None:
    write_json(path, KeyFile(keys=entries).model_dump())


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()
