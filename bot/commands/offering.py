"""Offer to arm a rule: what it would do, and the button that does it. Nothing is armed without the tap."""

from __future__ import annotations

from dataclasses import replace

from bot.alerts.handouts import MARK, Handout, is_token
from bot.alerts.message import LABEL, Button, Message
from bot.alerts.sentences import thresholds
from bot.alerts.translator import Translator
from bot.commands.reading import SURE, Prepared, ask_if_far, prepare
from bot.commands.request import Refusal, Request
from bot.commands.standing import distance
from bot.rules.talk import Heard, put_right
from bot.rules.tree import Rule

_SECONDS_TO_TAP = 7 * 86_400.0
"""How long a rule is kept for a button whose line is too short for it."""


def outlook(prepared: Prepared, request: Request) -> str:
    """Say what a rule waits for, and where its price is now."""
    tr, meaning = request.tr, prepared.meaning(request.tr)
    if where := distance(prepared.armed, prepared.keys, prepared.seen, tr):
        return tr("{rule}. Now {where}.", rule=meaning, where=where)
    if prepared.is_seen:
        return tr("{rule}.", rule=meaning)
    return tr("{rule}. The price cannot be seen just now.", rule=meaning)


async def arming(request: Request, rule: Rule, label: str) -> Button:
    """Give the button that arms a rule; one that is too long for a button is kept, and named by its token."""
    button = Button(label, f"/alert {rule}")
    if button.is_sound:
        return button
    register, now = request.office.register, request.instant
    kept = await register.hand_out(request.caller, str(rule), now + _SECONDS_TO_TAP, now)
    return Button(label, f"/alert {MARK}{kept.token}")


async def changing(request: Request, rule: Rule) -> Button:
    """Give the button of a window in which a rule is changed before it is armed."""
    button = await arming(request, rule, request.tr("Change it"))
    return replace(button, has_window=True)


async def offer(request: Request, heard: Heard) -> Message:
    """Show what was heard, with a button for each reading. Raises Refusal for what cannot be armed."""
    tr, levels = request.tr, await request.levels()
    prepared = [await prepare(request, rule, levels) for rule in heard.rules]
    if heard.has_sides:
        prepared.sort(key=_is_so)
    rules = [one.rule for one in prepared]
    ask_if_far(prepared[0], f"/alert {rules[0]} {SURE}", tr)
    if len(prepared) == 1:
        said = tr("I read that as: {meaning}", meaning=outlook(prepared[0], request))
        how = tr("Nothing is armed yet: press the button, or send: {line}", line=f"/alert {rules[0]}")
        row = [await arming(request, rules[0], tr("Arm it"))]
        if request.caller.has_windows:
            row.append(await changing(request, rules[0]))
        return Message(lines=(said, how), buttons=(tuple(row),))
    lines = [tr("That can mean two things:")]
    for place, one in enumerate(prepared, 1):
        told = outlook(one, request)
        if heard.has_sides and _is_so(one):
            told = tr("{rule} That is so already: it would wait to be clear first.", rule=told)
        lines.append(f"{place}. {told}")
    lines.append(tr("Nothing is armed yet: press the one that you mean."))
    buttons = []
    for place, one in enumerate(prepared, 1):
        meaning = one.meaning(tr)
        label = meaning if len(meaning) <= LABEL else tr("Arm number {number}", number=place)
        buttons.append((await arming(request, one.rule, label),))
    return Message(lines=tuple(lines), buttons=tuple(buttons))


async def written(request: Request) -> str:
    """Give the rule that was written, or the one whose token stands in its place. Raises Refusal."""
    text = request.given("rule")
    if not text.startswith(MARK):
        return text
    token, _, rest = text.removeprefix(MARK).partition(" ")
    return f"{(await handout_of(request, token)).rule} {rest}".strip()


async def handout_of(request: Request, token: str) -> Handout:
    """Find what a token stands for. Raises Refusal."""
    found = await request.office.register.handout(token, request.instant) if is_token(token) else None
    if found is None:
        raise too_old(request.tr)
    return found


def too_old(tr: Translator) -> Refusal:
    """Refuse a token that stands for nothing that can be armed."""
    return Refusal(
        tr("That link or button is too old, or was not copied whole."),
        tr("Ask for another one, or write the alert: {line}", line="/alert btc < 100k"),
    )


def put_right_in(refusal: Refusal, said: str, request: Request) -> Refusal:
    """Add to a refusal the button that says the same with the misspelt word put right, if there is one."""
    if refusal.misspelt is None:
        return refusal
    better = put_right(said, *refusal.misspelt)
    if better != said and better.startswith("/"):
        button = Button(better if len(better) <= LABEL else request.tr("Yes, that"), better)
        if button.is_sound:
            refusal.add(button)
    return refusal


def _is_so(prepared: Prepared) -> bool:
    """Ask whether the price is on that side of a level already."""
    for threshold in thresholds(prepared.armed.condition):
        price = prepared.price(threshold.instrument)
        if price is not None and threshold.op is not None:
            level = float(threshold.level)
            return price < level if threshold.op == "<" else price > level
    return False
