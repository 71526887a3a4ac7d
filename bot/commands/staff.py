"""Who does what and who stands by, where several processes share the work: for operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.alerts.translator import Translator
from bot.commands.request import Request
from bot.duties import ALL, ROLES, duties_in, in_short
from bot.ports.partitions import Share
from bot.ports.rota import Process

_SECONDS_TOLD = 7 * 86_400.0
_MOST_TOLD = 5
_SECONDS_BEHIND = 180.0
"""What goes well is said to be judged a minute or two later."""


async def staff(request: Request) -> list[str]:
    """Say who is on duty, who stands by and who ended lately, a line each; nothing where no rota is."""
    if request.office.rota is None:
        return []
    tr, roll = request.tr, await request.office.rota.roll(request.now - _SECONDS_TOLD)

    def since(at: float) -> str:
        return tr.duration(max(0.0, roll.at - at))

    lines = []
    for one in roll.living:
        said = {"name": _named(one), "version": one.version, "age": since(one.joined_at)}
        if ALL in one.duties:
            lines.append(tr("On duty: {name}, version {version}, there for {age}", **said))
        elif one.duties:
            said["duties"] = in_short(one.duties)
            lines.append(tr("On duty: {name}, version {version}, there for {age}: {duties}", **said))
        else:
            lines.append(tr("Stands by: {name}, version {version}, there for {age}", **said))
    lines.extend(_gaps(roll.living, tr))
    lines.extend(_behind(await request.office.register.shares(), request.now, tr))
    for one in roll.ended[:_MOST_TOLD]:
        said = {"name": _named(one), "age": since(one.ended_at or one.until)}
        if one.was_lost:
            lines.append(tr("Lost: {name}, not heard of for {age}", **said))
        else:
            lines.append(tr("Ended: {name}, {age} ago", **said))
    return lines


def _named(one: Process) -> str:
    """Name a process, with its roles where it has not every one."""
    return one.name if set(ROLES) <= set(one.roles) else f"{one.name} ({', '.join(one.roles)})"


def _gaps(living: Sequence[Process], tr: Translator) -> Iterator[str]:
    """Say what nobody does, and what nobody would do if another ended."""
    had = {duty for one in living for duty in one.duties}
    if ALL in had:
        if all(one.duties for one in living):
            yield tr("Nobody stands by: if this process ends, no other takes over.")
        return
    if left := {duty for one in living for duty in duties_in(one.plan)} - had:
        yield tr("Nobody does: {duties}", duties=in_short(left))
    alone: dict[str, list[str]] = {}
    for role in ROLES:
        able = [one.name for one in living if role in one.roles]
        if len(able) == 1:
            alone.setdefault(able[0], []).append(role)
    for name, roles in alone.items():
        yield tr(
            "Only {name} may do {roles}: if it ends, no other takes over.", name=name, roles=", ".join(roles)
        )


def _behind(shares: Sequence[Share], now: float, tr: Translator) -> Iterator[str]:
    """Say how far the alerts are judged, where they are divided; each part by itself that is far behind."""
    if len(shares) < 2:
        return
    ages = {one.partition: max(0.0, now - one.judged_to) for one in shares}
    well = [age for age in ages.values() if age <= _SECONDS_BEHIND]
    if well:
        age = tr.duration(max(well))
        yield tr(
            "Judged up to {age} ago: {count} of {all} partitions", age=age, count=len(well), all=len(ages)
        )
    for one in shares:
        if not one.judged_to:
            yield tr("Not judged yet: partition {number}", number=one.partition)
        elif ages[one.partition] > _SECONDS_BEHIND:
            age = tr.duration(ages[one.partition])
            yield tr("Behind: partition {number}, judged up to {age} ago", number=one.partition, age=age)
