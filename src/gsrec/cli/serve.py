"""`gsrec serve`: recommendations and sessions over HTTP, and the page to try them on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gsrec.cli import options
from gsrec.extras import OF_SERVER, check_installed


def serve(
    bundles: Annotated[
        list[Path], typer.Argument(metavar="BUNDLE...", help="Run folders or bundles; the first is the default model.")
    ],
    *,
    host: Annotated[str, typer.Option(help="The address to listen at; beyond this machine it needs --keys.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port to listen at; 0: a free one.")] = 8000,
    titles: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A table of titles, with columns such as item_id and title.")
    ] = None,
    indexes: Annotated[
        list[Path] | None, typer.Option("--index", metavar="DIR", help="An index of `gsrec index`, for its own model.")
    ] = None,
    log: Annotated[str | None, typer.Option(metavar="LOG", help="A log whose users can be replayed.")] = None,
    sessions: Annotated[
        str,
        typer.Option(metavar="FILE.sqlite|redis://...|:memory:", help="Where sessions are kept."),
    ] = "gsrec-sessions.sqlite",
    session_days: Annotated[float, typer.Option(help="Days after which a session without events is gone.")] = 30.0,
    keys: Annotated[Path | None, typer.Option(metavar="FILE", help="The file of `gsrec keys new`.")] = None,
    rate: Annotated[int | None, typer.Option(help="Requests a minute that each key may make.")] = None,
    durable: Annotated[bool, typer.Option("--durable", help="Let events in FILE.sqlite outlive a power cut.")] = False,
    columns: options.ColumnOptions,
) -> None:
    """Serve recommendations, sessions and the page.

    SIGHUP reads models, titles and keys again, SIGTERM ends it.
    """
    check_installed(*OF_SERVER)
    from gsrec.data.columns import Columns
    from gsrec.experiment.folder import columns_of
    from gsrec.serving.serve import serve as run
    from gsrec.serving.service import Service
    from gsrec.serving.settings import IN_MEMORY, Settings

    def tell(url: str, service: Service) -> None:
        names = ", ".join(model.name for model in service.contents.models.all)
        who = "for those with a key" if keys else "without keys: for this machine alone"
        in_memory = "sessions in memory: they end with this process"
        kept = in_memory if sessions == IN_MEMORY else f"sessions in {_place(sessions)}"
        found = service.contents.titles
        titled = f"; titles of {len(found.by_id):,} of {len(found.known):,} items" if titles else ""
        typer.echo(f"serving {names} at {url} ({who}; {kept}{titled})")

    settings = Settings(
        tuple(bundles),
        indexes=tuple(indexes or ()),
        titles=titles,
        log=log,
        columns=columns_of(bundles[0], Columns(*columns.names)),
        sessions=sessions,
        session_days=session_days,
        keys=keys,
        rate=rate,
        durable=durable,
        host=host,
        port=port,
    )
    run(settings, tell)


def _place(sessions: str) -> str:
    """Where sessions are, without the password that an address may hold."""
    return "Redis" if "://" in sessions else sessions
