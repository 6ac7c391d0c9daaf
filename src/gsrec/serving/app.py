"""The server as an ASGI app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

from fastapi import FastAPI, Path
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from gsrec import __version__
from gsrec.errors import GSRecError
from gsrec.serving import schemas
from gsrec.serving.answers import as_json
from gsrec.serving.body import BodyLimit
from gsrec.serving.docs import docs_page
from gsrec.serving.errors import ApiError, answer_error
from gsrec.serving.events import EventsDoor
from gsrec.serving.methods import HeadAsGet
from gsrec.serving.observer import Observer
from gsrec.serving.routes import router
from gsrec.serving.security import Gate, RateLimits
from gsrec.serving.service import Service
from gsrec.serving.settings import Settings
from gsrec.serving.web_files import INDEX, WebFiles

ABOUT = (
    "What comes next: after a history, or in a session whose events come in one by one. Item ids are integers or "
    "strings, as in the log that the model learned from. Every error is {error: {code, message, where}}."
)

METRICS = {**schemas.answers(None), 200: {"description": "Metrics in Prometheus' text format."}}


def create_app(settings: Settings) -> FastAPI:
    """A server with everything open; it is closed when the app's lifespan ends.

    Raises:
        GSRecError: if a bundle, the titles, the log, the keys or the sessions cannot be opened.
    """
    service = Service(settings)
    app = FastAPI(
        title="GSRec",
        version=__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.service = service
    for kind in (ApiError, GSRecError, HTTPException, RequestValidationError, ValidationError):
        app.add_exception_handler(kind, answer_error)
    limits = RateLimits(settings.rate) if settings.rate else None
    app.add_middleware(EventsDoor, service=service)  # what is added last stands first
    app.add_middleware(BodyLimit)
    app.add_middleware(Gate, keys=lambda: service.contents.keys, limits=limits)
    app.add_middleware(Observer, metrics=service.metrics)
    app.add_middleware(HeadAsGet)
    app.include_router(router)
    _add_status(app, service)
    _add_page(app, WebFiles())
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    sweeping = asyncio.create_task(service.sweep())
    try:
        yield
    finally:
        sweeping.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await sweeping
        finally:
            await service.close()


def _add_status(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", responses=schemas.answers(schemas.Status))
    async def health() -> Response:
        """Whether the server is alive."""
        return as_json({"status": "alive"})

    @app.get("/readyz", responses=schemas.answers(schemas.Status))
    async def ready() -> Response:
        """Whether the server takes requests: not while it stops."""
        if not service.is_ready:
            raise ApiError(503, "stopping", "this server is stopping. Ask another.", headers={"Retry-After": "1"})
        return as_json({"status": "ready"})

    @app.get("/metrics", responses=METRICS, response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Numbers about the server, for Prometheus."""
        return Response(service.metrics.text(service.engine.num_live), media_type=service.metrics.content_type)


def _add_page(app: FastAPI, files: WebFiles) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return files.answer(INDEX)

    @app.get("/static/{name}", include_in_schema=False)
    async def file(name: Annotated[str, Path()]) -> Response:
        return files.answer(name)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(docs_page(app.openapi()))
