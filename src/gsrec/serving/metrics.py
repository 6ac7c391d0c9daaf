"""Numbers about the server in Prometheus' format."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """What is counted, in a registry of its own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        """Begin at 0."""
        registry = self._registry = CollectorRegistry()
        labels = ("route", "method", "status")
        self._requests = Counter("gsrec_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "gsrec_request_seconds", "Time of a request.", ("route",), buckets=SECONDS, registry=registry
        )
        self._events = Counter("gsrec_session_requests", "Session requests taken in.", registry=registry)
        self._batches = Histogram("gsrec_batch_size", "Session requests in a batch.", buckets=SIZES, registry=registry)
        self._live = Gauge("gsrec_live_sessions", "Sessions whose state is in memory.", registry=registry)
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._reloads = Counter(
            "gsrec_reloads", "Times that bundles were loaded again.", ("outcome",), registry=registry
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer; the route is the path's pattern, so that no user's id is in it."""
        place = (route, method, status)
        if place not in self._known:
            self._known[place] = (self._requests.labels(route, method, str(status)), self._seconds.labels(route))
        requests, times = self._known[place]
        requests.inc()
        times.observe(seconds)

    def batch(self, size: int) -> None:
        """Count a batch of session events."""
        self._events.inc(size)
        self._batches.observe(size)

    def reload(self, *, succeeded: bool) -> None:
        """Count an attempt to load bundles again."""
        self._reloads.labels("done" if succeeded else "failed").inc()

    def text(self, num_live: int) -> bytes:
        """All of it, as Prometheus reads it."""
        self._live.set(num_live)
        return generate_latest(self._registry)
