"""What several partitions want of the feeds, as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.metrics import MetricKey, Want


def unite(*wants: Iterable[Want]) -> list[Want]:
    """Give one want for each key that does for everybody who has one, in the order in which keys appear.

    It begins with the least ``since``, and leaves out prices that concern nobody. ``close`` and ``source``
    are of the partition that begins first among those that know a price, since they are of that instant;
    ``home`` is the newest that is known.
    """
    if len(wants) == 1:
        return list(wants[0])
    found: dict[MetricKey, list[Want]] = {}
    for some in wants:
        for want in some:
            found.setdefault(want.key, []).append(want)
    return [several[0] if len(several) == 1 else _united(several) for several in found.values()]


def _united(wants: Sequence[Want]) -> Want:
    priced = [want for want in wants if want.close is not None] or [want for want in wants if want.source]
    shown = min(priced or wants, key=lambda want: (want.since, want.source, want.close or 0.0))
    return Want(
        wants[0].key,
        min(want.since for want in wants),
        max(want.floor for want in wants),
        min(want.ceiling for want in wants),
        shown.close,
        shown.source,
        max(wants, key=lambda want: (bool(want.home), want.since, want.home)).home,
    )
