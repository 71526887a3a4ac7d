"""Plain words in a private chat: what they are understood as, and a button that does it."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.alerts.message import LABEL, Button, Message
from bot.commands.examples import fitting, plainest
from bot.commands.manual import command_for, is_command
from bot.commands.offering import offer
from bot.commands.reading import read_instrument
from bot.commands.request import Refusal, Request
from bot.ports import Replies, UnknownInstrument, Unseeable
from bot.rules import RuleError, parse
from bot.rules.talk import Heard, hear, put_right

_ASKED = re.compile(r"\b(alerts|price|chart|history|status|metrics|levels|help)\b", re.IGNORECASE)
"""Words that ask to look at something, wherever they stand in a sentence that is no rule."""

_AN_ALERT = re.compile(r"^(?:(?:an?|the|my) )?alerts? (?:for |on |when |if )?", re.IGNORECASE)

_FILLING = re.compile(r"\b(?:of|for|the|a|an|my|on|in|is|please|pls|now|here|today)\b", re.IGNORECASE)


async def answer(request: Request, text: str) -> Replies:
    """Answer plain words: with the alert that they may mean, the command, or how to begin."""
    heard = hear(text)
    if heard is None:
        yield await _lost(request, text)
        return
    try:
        yield await offer(request, heard)
    except Refusal as refusal:
        word, _, rest = text.strip().partition(" ")
        if rest and is_command(word):  # it was heard as the name of an instrument
            yield _command(word.lower(), rest, request)
            return
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
    command = command_for(word.rstrip("?!.:,"))
    rest = _AN_ALERT.sub("", rest)
    if command == "alert" and (heard := hear(rest)):
        return await offer(request, heard)
    if command == "alert" and await _is_listed(request, rest.strip()):
        command, word, rest = "", rest.strip(), ""
    if command and not (command == "etf" and " " in rest.strip()):  # which is of one coin, and no rule
        return _command(command, rest, request)
    if asked := _ASKED.search(text):
        of = " ".join(re.findall(r"[\w/$.@:]+", _FILLING.sub(" ", text[asked.end() :])))
        return _command(command_for(asked[1]), of, request)
    if not rest and await _is_listed(request, word):
        lines = (
            tr(
                "That is an instrument. An alert names what should happen to it: {line}",
                line=f"{word} -5% in 1h",
            ),
        )
        buttons = ((Button(tr("Price"), f"/price {word}"), Button(tr("Chart"), f"/chart {word}")),)
        return Message(lines=lines, buttons=buttons)
    examples = fitting(text) or [plainest(text)]
    return Message(
        lines=(
            tr("That is no command, and no rule that I can read."),
            *(tr("For instance: {rule}", rule=example) for example in examples),
            tr("/help lists everything I know."),
        ),
        buttons=((Button(tr("Examples"), "/start"),),),
    )


def _command(command: str, rest: str, request: Request) -> Message:
    """Offer the command that was meant, with what follows it."""
    line = f"/{command} {rest.strip()}".strip()
    asked = request.tr("Did you mean {line}?", line=line)
    return Message(lines=(asked,), buttons=((Button(line[:LABEL], line),),))


async def _is_listed(request: Request, word: str) -> bool:
    instrument = read_instrument(request, word)
    if instrument is None:
        return False
    try:
        await request.office.market.resolve(instrument)
    except (UnknownInstrument, Unseeable):
        return False
    return True
