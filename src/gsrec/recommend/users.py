"""Users by their own ids: a file names them, the log knows what they took."""

from __future__ import annotations

from pathlib import Path

from gsrec.data.sequences import Sequences
from gsrec.data.vocabulary import ItemId
from gsrec.errors import DataError


def user_histories(sequences: Sequences, users: Path) -> list[tuple[ItemId, list[ItemId]]]:
    """All that some users took, oldest first.

    Args:
        sequences: the histories of all users.
        users: a file of user ids, one a line.

    Returns:
        Every user of the file with their history, in its order.

    Raises:
        DataError: if the file cannot be read, names no user, or one that has no history.
    """
    try:
        lines = [line.strip() for line in users.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the users in {users}: {error}") from error
    if not any(lines):
        raise DataError(f"{users} names no user: expected user ids, one a line")
    places = {str(user): place for place, user in enumerate(sequences.user_ids.to_list())}
    for number, user in enumerate(lines, start=1):
        if user and user not in places:
            told = f"{sequences.name} has no user {user!r}, or one with too many interactions to count"
            raise DataError(f"{users}, line {number}: {told}")
    named = [places[user] for user in lines if user]
    bounds = zip(sequences.offsets[named], sequences.offsets[1:][named], strict=True)
    histories = [sequences.vocabulary.decode(sequences.items[start:end]) for start, end in bounds]
    return list(zip(sequences.user_ids[named].to_list(), histories, strict=True))
