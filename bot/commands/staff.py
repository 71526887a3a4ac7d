"""Who works and who stands by, where several processes take turns: for operators."""

from __future__ import annotations

from bot.commands.request import Request

_SECONDS_TOLD = 7 * 86_400.0
_MOST_TOLD = 5


async def staff(request: Request) -> list[str]:
    """Say who is on duty, who stands by and who ended lately, a line each; nothing where no rota is."""
    if request.office.rota is None:
        return []
    tr, roll = request.tr, await request.office.rota.roll(request.now - _SECONDS_TOLD)

    def since(at: float) -> str:
        return tr.duration(max(0.0, roll.at - at))

    lines = []
    for one in roll.living:
        said = {"name": one.name, "version": one.version, "age": since(one.joined_at)}
        if one.duties:
            lines.append(tr("On duty: {name}, version {version}, there for {age}", **said))
        else:
            lines.append(tr("Stands by: {name}, version {version}, there for {age}", **said))
    if all(one.duties for one in roll.living):
        lines.append(tr("Nobody stands by: if this process ends, no other takes over."))
    for one in roll.ended[:_MOST_TOLD]:
        said = {"name": one.name, "age": since(one.ended_at or one.until)}
        if one.was_lost:
            lines.append(tr("Lost: {name}, not heard of for {age}", **said))
        else:
            lines.append(tr("Ended: {name}, {age} ago", **said))
    return lines
