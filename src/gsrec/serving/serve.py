"""The process that serves: it listens, loads again when told to, and answers what it has before it ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import torch
import uvicorn

from gsrec.errors import ConfigError, GSRecError
from gsrec.serving.app import create_app
from gsrec.serving.connection import Connection
from gsrec.serving.logs import log, set_up_logs
from gsrec.serving.service import Service
from gsrec.serving.settings import Settings

BACKLOG = 2_048
DRAIN_SECONDS = 30
"""How long requests that are being answered may take when the server is stopped."""

KEEP_ALIVE_SECONDS = 75

GARBAGE_THRESHOLDS = (20_000, 50, 50)
"""So many new objects are searched for garbage together, and after so many such searches those that are older."""

SWITCH_SECONDS = 0.0005
"""How long the thread that answers may wait for the one that computes; Python's own 5 ms add up."""


def serve(settings: Settings, on_ready: Callable[[str, Service], None] = lambda url, service: None) -> None:
    """Serve until SIGTERM or Ctrl-C; SIGHUP loads bundles, titles and keys again.

    Args:
        settings: what to serve, where.
        on_ready: told the address and what is open, once connections are taken.

    Raises:
        ConfigError: if the address is taken or not one of this machine, or keys or sessions cannot be opened.
        GSRecError: if a bundle, the titles or the log cannot be read.
    """
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what it asks for is being read for the first time
    torch.set_num_threads(1)
    sys.setswitchinterval(SWITCH_SECONDS)
    _allow_many_connections()
    set_up_logs()
    listener = _listen(settings)
    with listener:
        app = create_app(settings)
        service: Service = app.state.service
        config = uvicorn.Config(
            app,
            http=Connection,
            lifespan="on",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )

        def on_started() -> None:
            on_ready(_url(listener, settings.host), service)
            log("started", models=[model.name for model in service.contents.models.all])

        server = _Server(config, on_started)
        _spare_garbage_collection()
        service.is_stopping = lambda: server.should_exit
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
        ):  # uvicorn has its own while it runs, then raises the signal again
            signal.signal(number, lambda *_: server.end())
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(server, service, listener))
        log("stopped")


class _Server(uvicorn.Server):
    """A server that says when it takes connections."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        """Not yet; `on_started` is called as soon as it does."""
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections from here on."""
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._on_started()

    def end(self) -> None:
        """Answer what is there, then end."""
        self.should_exit = True


def _spare_garbage_collection() -> None:
    """Search for garbage rarely, and never in what is open now: a search holds up everybody for 10 to 100 ms.

    What requests leave behind is freed without a search, and so is a model that another replaces; only errors leave
    something to search for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _allow_many_connections() -> None:
    """Have as many files open, of which each connection is one, as the system lets this process have."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):  # some systems tell of no limit and have one
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run(server: uvicorn.Server, service: Service, listener: socket.socket) -> None:
    reloads: set[asyncio.Task[None]] = set()

    def begin() -> None:
        reloads.add(task := asyncio.create_task(_reload(service)))
        task.add_done_callback(reloads.discard)

    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, begin)
    await server.serve([listener])


async def _reload(service: Service) -> None:
    try:
        await service.reload()
    except GSRecError:
        pass  # it is in the log, and all stays as it was
    except Exception as error:  # a server that could not reload goes on serving
        log("mistake", level=logging.ERROR, error=error)


def _listen(settings: Settings) -> socket.socket:
    """A socket at the server's address."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise ConfigError(f"cannot listen at {where}: {error}. Give another --host or --port.") from error
    return listener


def _url(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
