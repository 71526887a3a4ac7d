"""Word what operators are told of the bot itself: what became unwell, and what is well again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.alerts.causes import cause
from bot.alerts.facts import items_of, number_of, text_of
from bot.alerts.message import Facts, Message
from bot.alerts.sentences import venue_name
from bot.alerts.translator import Translator
from bot.vigil import Bulletin, Kind


def health_facts(bulletins: Sequence[Bulletin]) -> Facts:
    """Give what a notification keeps of them."""
    turns: list[Mapping[str, str | float]] = []
    for one in bulletins:
        turn: dict[str, str | float] = {"kind": one.organ.kind.value, "name": one.organ.name}
        turn |= {"reason": one.reason, "since": one.since}
        turns.append(turn if one.well_since is None else {**turn, "well_since": one.well_since})
    return {"turns": turns}


def word_health(facts: Facts, tr: Translator, now: float) -> Message:
    """Tell an operator each turn in a line."""
    turns = items_of(facts, "turns")
    lines = [line for one in turns if (line := _line(one, tr, now))]
    is_over = all(number_of(one, "well_since") is not None for one in turns)
    return Message(
        title=tr("The bot is well again.") if is_over else tr("The bot is not well."),
        lines=tuple(lines),
        facts={"event": "health", "turns": facts.get("turns")},
    )


def _line(turn: Facts, tr: Translator, now: float) -> str:
    name, reason = text_of(turn, "name"), text_of(turn, "reason")
    since, well_since = number_of(turn, "since"), number_of(turn, "well_since")
    if since is None:
        return ""
    is_of_ours = text_of(turn, "kind") == Kind.CREW
    names = {"name": name if is_of_ours else venue_name(name), "since": tr.instant(since, now)}
    if well_since is None:
        names["reason"] = cause(reason, name, tr)
        match text_of(turn, "kind"):
            case Kind.FEED:
                return tr("{name} brings no data since {since}: {reason}.", **names)
            case Kind.MEMORY:
                return tr(
                    "Nothing can be kept since {since}, so nothing rings until it can: {reason}.", **names
                )
            case Kind.CHAT:
                return tr("{name} cannot be reached since {since}: {reason}.", **names)
            case Kind.TAPE:
                return tr(
                    "Nothing goes over {name} since {since}, so nothing rings until it can: {reason}.",
                    **names,
                )
            case Kind.CREW:
                return tr("Not all that the role {name} has to do is done since {since}: {reason}.", **names)
            case Kind.EAR:
                return tr("Not all that is said on {name} arrives since {since}: {reason}.", **names)
            case _:
                return tr("Nothing goes out on {name} since {since}: {reason}.", **names)
    names |= {"at": tr.instant(well_since, now), "time": tr.duration(well_since - since)}
    match text_of(turn, "kind"):
        case Kind.FEED:
            return tr("{name} brings data again since {at}, after {time}.", **names)
        case Kind.MEMORY:
            return tr("All is kept again since {at}, after {time}, and what was missed is judged.", **names)
        case Kind.CHAT:
            return tr("{name} can be reached again since {at}, after {time}.", **names)
        case Kind.TAPE:
            return tr("All goes over {name} again since {at}, after {time}, and is looked at again.", **names)
        case Kind.CREW:
            return tr("All that the role {name} has to do is done again since {at}, after {time}.", **names)
        case Kind.EAR:
            return tr("All that is said on {name} arrives again since {at}, after {time}.", **names)
        case _:
            return tr("Messages go out on {name} again since {at}, after {time}.", **names)
