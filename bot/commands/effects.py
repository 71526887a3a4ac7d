"""What a change of a level would do: who follows, what is true already, what would have rung."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.alerts.translator import Translator
from bot.commands.preview import Count, count
from bot.commands.reading import Prepared, prepare, refused
from bot.commands.request import Refusal, Request
from bot.commands.standing import Standing, stand
from bot.ports import Following, Reach
from bot.rules import RuleError, fill, parse, qualify

MOST = 5
"""How many alerts are reckoned with: each costs two looks through a month of history."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One alert as it is armed now and as it would be; ``before`` is ``None`` where that makes no sense."""

    name: str
    is_shared: bool
    before: Prepared | None
    after: Prepared


async def effects(
    request: Request, reach: Reach, name: str, after: Decimal, *, most: int = MOST
) -> list[Effect]:
    """Prepare the alerts that most chats follow, with the old value and the new.

    Raises Refusal where one of all that follow would make no sense at the new value.
    """
    for rule, values in {(one.rule, tuple(one.levels.items())) for one in reach.followings}:
        try:
            qualify(fill(parse(rule), {**dict(values), name: after}), request.office.quote)
        except RuleError as error:
            raise refused(error, request.tr) from error
    return [await _effect(request, one, name, after) for one in reach.followings[:most]]


async def _effect(request: Request, following: Following, name: str, after: Decimal) -> Effect:
    rule, values = parse(following.rule), following.levels
    try:
        before = await prepare(request, rule, values)
    except Refusal:
        before = None
    prepared = await prepare(request, rule, {**values, name: after})
    is_shared = not following.label.startswith("#") and bool(following.label)
    label = following.label or request.tr("another chat's own alert")
    return Effect(label, is_shared, before, prepared)


def followers(reach: Reach, tr: Translator) -> str:
    """Say which alerts follow, and how many chats; those that other chats made for themselves are counted."""
    follow = tr.many("{count} alert follows it", "{count} alerts follow it", reach.alerts)
    where = tr.many("in {count} chat", "in {count} chats", reach.chats)
    chats: dict[str, int] = {}
    for one in reach.followings:
        chats[one.label] = chats.get(one.label, 0) + one.chats
    named = [
        label if label.startswith("#") else tr("{name} ({count})", name=label, count=count)
        for label, count in chats.items()
        if label
    ]
    shown = named[: 2 * MOST]
    if len(named) > len(shown):
        shown.append(tr.many("{count} more", "{count} more", len(named) - len(shown)))
    if "" in chats:
        shown.append(tr("{count} that other chats made for themselves", count=chats[""]))
    return tr("{follow} {where}: {names}.", follow=follow, where=where, names=tr.listed(shown))


async def true_already(found: Sequence[Effect], reach: Reach, request: Request) -> list[str]:
    """Say which of the alerts would be true already, so that they wait to be clear before they ring."""
    tr, market = request.tr, request.office.market
    stands = [await stand(one.after, one.is_shared, request.now, market) for one in found]
    true = _names(found, stands, Standing.TRUE)
    unsaid = _names(found, stands, Standing.OPEN)
    lines = []
    if true:
        lines.append(tr("True already, so it would wait to be clear first: {names}.", names=tr.listed(true)))
    elif not unsaid:
        lines.append(tr("None of them would be true already."))
    if unsaid:
        lines.append(tr("Whether it is true already cannot be said: {names}.", names=tr.listed(unsaid)))
    distinct = {(one.label, one.rule, tuple(one.levels.items())) for one in reach.followings}
    if len(distinct) > len(found):
        lines.append(tr("Only the {count} with the most chats are looked at.", count=len(found)))
    return lines


def _names(found: Sequence[Effect], stands: Sequence[Standing], wanted: Standing) -> list[str]:
    names = [one.name for one, standing in zip(found, stands, strict=True) if standing is wanted]
    return list(dict.fromkeys(names))


async def backtests(
    found: Sequence[Effect], before: Decimal | None, after: Decimal, request: Request
) -> list[str]:
    """Say how often each alert would have rung in the last days with the old value, and with the new."""
    lines = await asyncio.gather(*(_backtest(one, before, after, request) for one in found))
    return list(dict.fromkeys(line for line in lines if line))


async def _backtest(effect: Effect, before: Decimal | None, after: Decimal, request: Request) -> str:
    tr = request.tr
    new = await count(effect.after, request)
    if new is None:
        return ""
    period = new.period(tr)
    told: Mapping[str, str | Decimal] = {"name": effect.name, "period": period, "after": after}
    rings = _rings(new, tr)
    old = await count(effect.before, request) if effect.before is not None else None
    if old is None or before is None:
        return tr("{name} in {period}: {rings} at {after}.", rings=rings, **told)
    return tr(
        "{name} in {period}: {old} at {before}, {rings} at {after}.",
        old=_rings(old, tr),
        rings=rings,
        before=before,
        **told,
    )


def _rings(counted: Count, tr: Translator) -> str:
    return tr.many("{count} ring", "{count} rings", len(counted.rings))
