"""Plain words in a private chat: what they are understood as, and a button that does it."""

from __future__ import annotations

from dataclasses import replace

from bot.alerts.message import Button, Message
from bot.commands.examples import PLAIN, fitting
from bot.commands.manual import command_for
from bot.commands.offering import offer
from bot.commands.reading import read_instrument
from bot.commands.request import Refusal, Request
from bot.ports import Replies, UnknownInstrument, Unseeable
from bot.rules import RuleError, parse
from bot.rules.talk import Heard, hear, put_right


async def answer(request: Request, text: str) -> Replies:
    """Answer plain words: with the alert that they may mean, the command, or how to begin."""
    heard = hear(text)
    if heard is None:
        yield await _lost(request, text)
        return
    try:
        yield await offer(request, heard)
    except Refusal as refusal:
        yield await _nearest(request, heard, refusal)


async def _nearest(request: Request, heard: Heard, refusal: Refusal) -> Message:
    """Offer the rule with the name that comes nearest, below what was wrong with it."""
    if refusal.misspelt is None:
        return refusal.message
    try:
        rules = tuple(parse(put_right(str(rule), *refusal.misspelt)) for rule in heard.rules)
        offered = await offer(request, replace(heard, rules=rules))
    except (RuleError, Refusal):
        return refusal.message
    return replace(offered, lines=(*refusal.message.lines, *offered.lines))


async def _lost(request: Request, text: str) -> Message:
    """Answer what is no rule: with the command that it begins with, or examples."""
    tr, (word, _, rest) = request.tr, text.strip().partition(" ")
    if command := command_for(word.rstrip("?!.:,")):
        line = f"/{command} {rest.strip()}".strip()
        return Message(lines=(tr("Did you mean {line}?", line=line),), buttons=((Button(line[:32], line),),))
    if not rest and await _is_listed(request, word):
        lines = (
            tr(
                "That is an instrument. An alert names what should happen to it: {line}",
                line=f"{word} -5% in 1h",
            ),
        )
        buttons = ((Button(tr("Price"), f"/price {word}"), Button(tr("Chart"), f"/chart {word}")),)
        return Message(lines=lines, buttons=buttons)
    examples = fitting(text) or [PLAIN]
    return Message(
        lines=(
            tr("That is no command, and no rule that I can read."),
            *(tr("For instance: {rule}", rule=example) for example in examples),
            tr("/help lists everything I know."),
        )
    )


async def _is_listed(request: Request, word: str) -> bool:
    instrument = read_instrument(request, word)
    if instrument is None:
        return False
    try:
        await request.office.market.resolve(instrument)
    except (UnknownInstrument, Unseeable):
        return False
    return True
