"""The page: files of this package, read once."""

from __future__ import annotations

from importlib.resources import files

from starlette.responses import Response

from gsrec.serving.errors import ApiError

KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "json": "application/json",
}
INDEX = "index.html"


class WebFiles:
    """The files of the page, by name."""

    def __init__(self) -> None:
        """Read them."""
        folder = files("gsrec.serving") / "web"
        named = [file for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
        self._contents = {file.name: file.read_bytes() for file in named if _ending(file.name) in KINDS}

    def answer(self, name: str) -> Response:
        """A file of the page.

        Raises:
            ApiError: 404, if there is none of this name.
        """
        if name not in self._contents:
            raise ApiError(404, "not_found", "the page has no such file. GET / gives the page.", where="path.name")
        return Response(self._contents[name], media_type=KINDS[_ending(name)])


def _ending(name: str) -> str:
    return name.rpartition(".")[2]
