"""Users by their own ids, out of a file."""

from pathlib import Path

import pytest

from gsrec.data.sequences import Sequences
from gsrec.data.synthetic import synthetic_log
from gsrec.errors import DataError
from gsrec.recommend.users import user_histories


@pytest.fixture(scope="module")
def sequences() -> Sequences:
    """The histories of users 1 to 40."""
    return synthetic_log(num_users=40, num_items=20).to_sequences()


def test_histories_of_users(sequences: Sequences, tmp_path: Path) -> None:
    (tmp_path / "users.txt").write_text("7\n\n3\n7\n", encoding="utf-8")
    found = user_histories(sequences, tmp_path / "users.txt")
    assert [user for user, _ in found] == [7, 3, 7]
    for user, history in found:
        place = sequences.user_ids.to_list().index(user)
        items = sequences.items[sequences.offsets[place] : sequences.offsets[place + 1]]
        assert history == sequences.vocabulary.decode(items)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "names no user: expected user ids, one a line"),
        (b"\n \n", "names no user: expected user ids, one a line"),
        (b"3\n41\n", "line 2: synthetic has no user '41', or one with too many interactions to count"),
        (b"\xff\xfe", "cannot read the users in"),
        (None, "cannot read the users in"),
    ],
    ids=["empty", "blank", "unknown", "bytes", "missing"],
)
def test_users_that_cannot_be_answered(
    sequences: Sequences, tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "users.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        user_histories(sequences, tmp_path / "users.txt")
