import gzip
import hashlib
import zipfile
from pathlib import Path

import pytest

from gsrec.data.download import check_unchanged, digest, download
from gsrec.errors import ConfigError, DataError

CONTENT = bytes(range(256)) * 10_000


def everything(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_whole_file_comes_with_its_checksum_and_progress(server: str, served: Path, tmp_path: Path) -> None:
    (served / "a.csv").write_bytes(CONTENT)
    told: list[tuple[int, int | None]] = []
    target = tmp_path / "new" / "a.csv"
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    download(f"{server}/a.csv", target, md5=md5, progress=lambda received, total: told.append((received, total)))
    assert target.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [received for received, _ in told] == sorted(received for received, _ in told)
    record = (tmp_path / "new" / "a.csv.sha256").read_text()
    assert record == f"{hashlib.sha256(CONTENT).hexdigest()}  a.csv\n"
    check_unchanged(target)
    (tmp_path / "new" / "a.csv.sha256").write_text("")
    with pytest.raises(DataError, match="this is no longer the file that was fetched"):
        check_unchanged(target)


def test_a_server_that_does_not_say_the_size(server: str, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    download(f"{server}/unsized.csv", tmp_path / "a.csv", progress=lambda *progress: told.append(progress))
    assert (tmp_path / "a.csv").read_bytes() == b"a,b,5,1\n"
    assert told[-1] == (8, None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.zip", "HTTP Error 404: "),
        ("refused.zip", "HTTP Error 403: "),
        ("dropped.zip", "cannot fetch http://.*GSREC_DATA names"),
        ("short.csv", "cut short after 8 of 1,000 bytes; nothing was kept. Try again."),
        ("broken.zip", r"what was received is damaged \(File is not a zip file\); nothing was kept"),
        ("flipped.zip", r"what was received is damaged \((bad checksum of log\.csv|Error .*)\); nothing was kept"),
        ("broken.gz", r"what was received is damaged \(.*end-of-stream.*\); nothing was kept"),
        ("other.csv", "expected a file with MD5 0123, received [0-9a-f]{32}; nothing was kept"),
    ],
)
def test_what_is_not_whole_leaves_nothing_behind(
    name: str, message: str, server: str, served: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(served / "flipped.zip", "w") as archive:
        archive.writestr("log.csv", "user,item\n1,2\n")
    flipped = bytearray((served / "flipped.zip").read_bytes())
    flipped[40] ^= 0xFF
    (served / "flipped.zip").write_bytes(flipped)
    (served / "broken.zip").write_bytes(b"<html>please log in</html>")
    (served / "broken.gz").write_bytes(gzip.compress(CONTENT)[:-100])
    (served / "other.csv").write_bytes(b"another file")
    with pytest.raises(DataError, match=message):
        download(f"{server}/{name}", tmp_path / "cache" / name, md5="0123" if name == "other.csv" else None)
    assert everything(tmp_path / "cache") == []


def test_whole_archives_are_kept(server: str, served: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(served / "a.zip", "w") as archive:
        archive.writestr("log.csv", "user,item\n1,2\n")
    (served / "b.json.gz").write_bytes(gzip.compress(CONTENT))
    download(f"{server}/a.zip", tmp_path / "a.zip")
    download(f"{server}/b.json.gz", tmp_path / "b.json.gz")
    assert digest(tmp_path / "a.zip", "sha256") == digest(served / "a.zip", "sha256")


def test_a_failed_download_leaves_the_file_that_was_there(server: str, tmp_path: Path) -> None:
    (tmp_path / "short.csv").write_bytes(b"old")
    with pytest.raises(DataError, match="cut short"):
        download(f"{server}/short.csv", tmp_path / "short.csv")
    assert (tmp_path / "short.csv").read_bytes() == b"old"


def test_an_interrupted_download_leaves_nothing(server: str, served: Path, tmp_path: Path) -> None:
    def interrupt(received: int, total: int | None) -> None:
        raise KeyboardInterrupt

    (served / "a.csv").write_bytes(CONTENT)
    with pytest.raises(KeyboardInterrupt):
        download(f"{server}/a.csv", tmp_path / "cache" / "a.csv", progress=interrupt)
    assert everything(tmp_path / "cache") == []


def test_a_folder_that_cannot_be_written(server: str, served: Path, tmp_path: Path) -> None:
    (served / "a.csv").write_bytes(CONTENT)
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"cannot write .*a\.csv: "):
        download(f"{server}/a.csv", tmp_path / "cache" / "a.csv")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot fetch http://127\.0\.0\.1:1/a\.csv: .*refused"):
        download("http://127.0.0.1:1/a.csv", tmp_path / "a.csv")


def test_only_the_web_is_fetched_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="begins with http:// or https://, found 'file:///etc/hosts'"):
        download("file:///etc/hosts", tmp_path / "a.csv")


def test_a_file_that_changed_since_is_noticed(server: str, served: Path, tmp_path: Path) -> None:
    (served / "a.csv").write_bytes(CONTENT)
    download(f"{server}/a.csv", tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match=r"a\.csv: this is no longer the file that was fetched\. Remove it"):
        check_unchanged(tmp_path / "a.csv")
