"""The last price at the end of a minute, and who gave it, for whoever must go on from there."""

from __future__ import annotations

from collections.abc import Sequence

from bot.metrics import MINUTE, Bars, Close, MetricKey, Print, Seen, minute_of

FRESH = 5 * MINUTE
"""How old a last price may be, in seconds, to say where a series stood at an instant."""

_BARS = 12
_KEPT = 30
"""How many ends of minutes are held for each series: more than any rule waits for another."""


class Closes:
    """What was shown last in each of the latest minutes: by final bars, else by prints.

    Where a series is at home is known of what was seen or stored; what follows is at the same level.
    """

    __slots__ = ("_shown",)

    def __init__(self) -> None:
        self._shown: dict[MetricKey, dict[int, Close]] = {}

    def note_bars(self, run: Bars) -> None:
        """Note how the last minutes of a run closed."""
        for bar in run.bars[-_BARS:]:
            self._follow(run.key, bar.end, Close(bar.end, bar.close, run.source))

    def note_print(self, one: Print) -> None:
        """Note a price of a running minute: the last one closes it until its bar is read."""
        self._follow(one.key, minute_of(one.at) + MINUTE, Close(one.at, one.value, one.source))

    def note_seen(self, key: MetricKey, seen: Seen) -> None:
        """Note how the minute opened in which somebody looked, if nothing else is known of it."""
        if self.at(key, seen.bar.at) is None:
            self._note(key, seen.bar.at, Close(seen.bar.at, seen.bar.open, home=seen.home))

    def restore(self, key: MetricKey, close: Close) -> None:
        """Note what was stored."""
        self._note(key, -int(-close.at // MINUTE) * MINUTE, close)

    def at(self, key: MetricKey, instant: int) -> Close | None:
        """Give the last price before an instant, unless it is too old to say where the series stood then."""
        shown = self._shown.get(key, {})
        if instant in shown:
            return shown[instant]
        newest = max((end for end in shown if instant - FRESH < end <= instant), default=None)
        return None if newest is None else shown[newest]

    def shown_by(self, key: MetricKey, minute: int, runs: Sequence[Bars]) -> list[str]:
        """Name who showed a final minute and the next one; ``runs`` are those that were noted last."""
        found: dict[str, None] = {}
        for at in (minute, minute + MINUTE):
            shown = (run for run in runs if run.key == key and run.bars)
            close = self.at(key, at + MINUTE)
            sources = (run.source for run in shown if run.bars[0].at <= at < run.bars[-1].end)
            found[next(sources, close.source if close else "")] = None
        return [source for source in found if source]

    def forget(self, key: MetricKey) -> None:
        """Let a series go."""
        self._shown.pop(key, None)

    def _follow(self, key: MetricKey, end: int, close: Close) -> None:
        """Note what goes on from the prices before it, at their home."""
        shown = self._shown.get(key, {})
        before = shown.get(end) or shown.get(end - MINUTE) or self.at(key, end)
        home = before.home if before else ""
        self._note(key, end, Close(close.at, close.price, close.source, home) if home else close)

    def _note(self, key: MetricKey, end: int, close: Close) -> None:
        shown = self._shown.setdefault(key, {})
        if end not in shown or shown[end].at <= close.at:
            shown[end] = close
        if len(shown) > 2 * _KEPT:
            self._shown[key] = {one: shown[one] for one in sorted(shown)[-_KEPT:]}
