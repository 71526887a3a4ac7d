"""What operators see counted: Prometheus gauges behind plain functions.

Names end in their unit, labels have few values (a source, a platform, an outcome), never a chat or a person.
The counts belong to the process: they begin at zero with it, as Prometheus expects.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bot.delays import Delay, Delays

CONTENT_TYPE = CONTENT_TYPE_LATEST

_REGISTRY = CollectorRegistry()
for _collector in (ProcessCollector, PlatformCollector, GCCollector):
    _collector(registry=_REGISTRY)

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)

_polls = Counter("tocsin_polls", "Looks at a feed.", ["source", "outcome"], registry=_REGISTRY)
_poll_seconds = Histogram(
    "tocsin_poll_seconds", "How long a look took.", ["source"], buckets=_SECONDS, registry=_REGISTRY
)
_feed_seen = Gauge(
    "tocsin_feed_seen_timestamp_seconds", "When a feed last brought data.", ["source"], registry=_REGISTRY
)
_observations = Counter(
    "tocsin_observations",
    "What was judged: final minutes, single prices, and values of metrics that were news.",
    ["source", "kind"],
    registry=_REGISTRY,
)
_verdicts = Counter(
    "tocsin_verdicts", "How often an alert was judged, by what a batch brought.", registry=_REGISTRY
)
_transitions = Counter(
    "tocsin_transitions", "Rings, corrections and ends promised to be told.", ["kind"], registry=_REGISTRY
)
_delay = Histogram(
    "tocsin_delivery_delay_seconds",
    "From what a message tells of to the platform's acceptance of it.",
    ["platform"],
    buckets=_SECONDS,
    registry=_REGISTRY,
)
_ring_delay = Histogram(
    "tocsin_ring_delay_seconds",
    "From the instant of the price that rang to the platform's acceptance, by the way on which it came.",
    ["way"],
    buckets=_SECONDS,
    registry=_REGISTRY,
)
_loop_lag = Histogram(
    "tocsin_loop_lag_seconds",
    "How late the event loop comes back to who waited: for so long it answered nobody.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
    registry=_REGISTRY,
)
_loop_lags = Delays()
_feed_lag = Gauge(
    "tocsin_feed_lag_seconds",
    "How far the newest final minute of a feed lies behind its source's present.",
    ["source"],
    registry=_REGISTRY,
)
_recent_ring_delay = Gauge(
    "tocsin_recent_ring_delay_seconds",
    "The same of the newest rings, as percentiles.",
    ["way", "quantile"],
    registry=_REGISTRY,
)
_ring_delays = Delays()
_deliveries = Counter(
    "tocsin_deliveries", "Messages sent, by what became of them.", ["platform", "outcome"], registry=_REGISTRY
)
_outbox_age = Gauge(
    "tocsin_outbox_oldest_age_seconds",
    "How long the oldest one that is due has waited.",
    ["platform"],
    registry=_REGISTRY,
)
_stream_up = Gauge(
    "tocsin_stream_connected", "Whether a stream is connected and heard.", ["source"], registry=_REGISTRY
)
_stream_heard = Gauge(
    "tocsin_stream_heard_timestamp_seconds", "When a stream was last heard.", ["source"], registry=_REGISTRY
)
_stream_frames = Counter("tocsin_stream_frames", "Frames heard.", ["source"], registry=_REGISTRY)
_stream_prints = Counter(
    "tocsin_stream_prints", "Prices of streams that were handed on.", ["source"], registry=_REGISTRY
)
_stream_losses = Counter(
    "tocsin_stream_losses", "Connections that were lost or refused.", ["source"], registry=_REGISTRY
)


def count_poll(source: str, seconds: float, seen_at: float | None) -> None:
    """Count one look of a feed that took so long; ``seen_at`` is ``None`` where it brought nothing."""
    _polls.labels(source, "failed" if seen_at is None else "ok").inc()
    _poll_seconds.labels(source).observe(seconds)
    if seen_at is not None:
        _feed_seen.labels(source).set(seen_at)


def show_lag(source: str, seconds: float | None) -> None:
    """Show how far the newest final minute of a feed lies behind; ``None`` where it brought none yet."""
    if seconds is not None:
        _feed_lag.labels(source).set(seconds)


def show_stream(source: str, is_well: bool, frames: int, prints: int, heard_at: float | None) -> None:
    """Show how a stream is, and count what it brought since it was last shown."""
    _stream_up.labels(source).set(is_well)
    _stream_frames.labels(source).inc(frames)
    _stream_prints.labels(source).inc(prints)
    if heard_at is not None:
        _stream_heard.labels(source).set(heard_at)


def count_stream_loss(source: str) -> None:
    """Count one connection that was lost, or did not come about."""
    _stream_losses.labels(source).inc()


def count_observations(source: str, *, minutes: int, prices: int, values: int) -> None:
    """Count what a batch of a source brought and was judged."""
    for kind, count in (("minute", minutes), ("price", prices), ("value", values)):
        if count:
            _observations.labels(source, kind).inc(count)


def count_verdicts(count: int) -> None:
    """Count how many alerts were judged by a batch; those that it cannot concern are not."""
    _verdicts.inc(count)


def count_transitions(kind: str, count: int) -> None:
    """Count what was promised to be told: ``ring``, ``correction``, ``ended``."""
    _transitions.labels(kind).inc(count)


def count_delivery(platform: str, outcome: str) -> None:
    """Count one send by what became of it: ``sent``, ``retry``, ``moved``, ``gone``, ``rejected``."""
    _deliveries.labels(platform, outcome).inc()


def observe_delay(platform: str, seconds: float) -> None:
    """Observe how long a message took from what it tells of to the platform's acceptance."""
    _delay.labels(platform).observe(max(0.0, seconds))


def observe_ring_delay(way: str, seconds: float) -> None:
    """Observe how long a ring took from the instant of its price to the platform's acceptance.

    ``way`` is ``stream`` or ``poll`` for a single price, as it came, and ``minute`` for a final minute, whose
    instant is its opening where it does not tell the touch more exactly.
    """
    _ring_delay.labels(way).observe(max(0.0, seconds))
    _ring_delays.note(way, seconds)
    newest = _ring_delays.of(way)
    if newest is not None:
        _recent_ring_delay.labels(way, "0.5").set(newest.p50)
        _recent_ring_delay.labels(way, "0.99").set(newest.p99)


def ring_delays() -> list[Delay]:
    """Give the percentiles of the newest rings by the way on which their price came."""
    return _ring_delays.all()


def observe_loop_lag(seconds: float) -> None:
    """Observe how late the event loop came back to who waited."""
    _loop_lag.observe(max(0.0, seconds))
    _loop_lags.note("loop", seconds)


def loop_lag() -> Delay | None:
    """Give the percentiles of the newest lags of the event loop; ``None`` before the first."""
    return _loop_lags.of("loop")


def show_outbox_age(platform: str, seconds: float) -> None:
    """Show for how long the oldest notification of a platform has been due; 0 where none is."""
    _outbox_age.labels(platform).set(max(0.0, seconds))


def exposition() -> bytes:
    """Give everything in Prometheus' text format; its type is ``CONTENT_TYPE``."""
    return generate_latest(_REGISTRY)
