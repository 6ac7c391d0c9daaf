"""Bundles on the Hugging Face hub (extra `hub`): the same files there as on a disk, checked the same way."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gsrec.bundle.bundle import Bundle, bundle_place, load_bundle, save_bundle
from gsrec.bundle.manifest import CONTENTS, MANIFEST
from gsrec.errors import BundleError
from gsrec.extras import needed

CARD = "README.md"


def push_to_hub(bundle: Bundle, repository: str, *, token: str | None = None, private: bool = True) -> str:
    """Put a bundle into a repository of the hub, which is made where there is none.

    Args:
        bundle: what to put there.
        repository: as `owner/name`.
        token: of the hub; None: the one that the machine is logged in with.
        private: whether a new repository is for its owner alone.

    Returns:
        The address of the commit.

    Raises:
        MissingExtraError: if huggingface-hub is not installed.
        BundleError: if the hub does not take it.
    """
    hub = needed("huggingface_hub")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "bundle"
        save_bundle(bundle, place)
        (place / CARD).write_text(_card(bundle), encoding="utf-8")
        try:
            api = hub.HfApi(token=token)
            api.create_repo(repository, private=private, exist_ok=True)
            commit = api.upload_folder(repo_id=repository, folder_path=str(place), commit_message="A GSRec bundle")
        except (hub.errors.HfHubHTTPError, OSError, ValueError) as error:
            raise BundleError(f"the hub did not take {repository}: {error}") from error
    return str(commit.commit_url)


def from_pretrained(repository: str | Path, *, revision: str | None = None, token: str | None = None) -> Bundle:
    """The bundle in a repository of the hub, or in a folder or file of this machine.

    Args:
        repository: as `owner/name`, or a path that exists.
        revision: a branch, tag or commit.
        token: of the hub; None: the one that the machine is logged in with.

    Raises:
        MissingExtraError: if huggingface-hub is not installed.
        BundleError: if there is no such bundle, or a damaged one.
    """
    if Path(repository).exists():
        return load_bundle(bundle_place(Path(repository)))
    hub = needed("huggingface_hub")
    try:
        patterns = [*CONTENTS, MANIFEST]
        path = hub.snapshot_download(str(repository), revision=revision, token=token, allow_patterns=patterns)
    except (hub.errors.HfHubHTTPError, hub.errors.LocalEntryNotFoundError, OSError, ValueError) as error:
        raise BundleError(f"the hub gave no bundle {repository}: {error}") from error
    return load_bundle(Path(path))


def _card(bundle: Bundle) -> str:
    metrics = "".join(f"- {name}: {value:.4f}\n" for name, value in bundle.metrics.items())
    return (
        "---\nlibrary_name: gsrec\ntags: [recommender-system, sequential-recommendation]\n---\n\n"
        f"# {bundle.config.name}, trained on {bundle.data.name}\n\n"
        f"{bundle.data.num_items:,} items. Load it with `gsrec.bundle.hub.from_pretrained`.\n\n"
        f"On validation:\n\n{metrics}\nData: {bundle.licence or 'terms unknown'}\n"
    )
