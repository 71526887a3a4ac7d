"""Suggest how a rule goes on while it is typed, and say what it means as soon as it is one."""

from __future__ import annotations

import re

from bot.alerts.people import Caller
from bot.alerts.sentences import filled_levels, meaning, metric_name
from bot.alerts.translator import Translator
from bot.commands.examples import fitting
from bot.commands.request import Office
from bot.ports import Choice
from bot.rules import FUNCTIONS, Function, RuleError, fill, qualify, read

_WORD = re.compile(r"([a-z_][a-z0-9_]*)(\(?)$")
_AT = re.compile(r"@([a-z0-9_]*)$")
_FIRST = re.compile(r"\s*([a-z0-9]+)((?:/[a-z0-9]+)?(?:@[a-z0-9]+)?)")
_OPERAND = re.compile(r"(?:^|[-<>=+*/(,:]|\b(?:and|or|not|above|below))\s*$")
"""What stands before something that has a value."""

_BTC = re.compile(r"\bbtc\b")


async def go_on(office: Office, caller: Caller, typed: str, most: int) -> list[Choice]:
    """Suggest how a rule goes on: levels, functions, instruments, and what it means if it is whole."""
    text = typed.lstrip().lower()
    if not text:
        return [Choice(one, one) for one in _openings()]
    levels = {}
    if "@" in text:
        levels = {name: one.value for name, one in (await office.register.levels(caller.chat)).items()}
    if match := _AT.search(text):
        head = typed.lstrip()[: match.start()]
        names = [f"{head}@{name}" for name in sorted(levels) if name.startswith(match[1])]
        return [Choice(one, one) for one in names]
    tr = office.languages.translator(caller.language, "UTC")
    found = await _operands(office, typed.lstrip(), tr, most)
    try:
        rule = read(typed).rule
        armed = qualify(fill(rule, levels), office.quote)
    except RuleError:
        pass
    else:
        whole = Choice(meaning(armed, filled_levels(rule, armed), tr), typed.strip())
        found = [*found, whole] if found else [whole]
    if not found:
        found.extend(Choice(one, one) for one in fitting(text))
    return found


async def _operands(office: Office, typed: str, tr: Translator, most: int) -> list[Choice]:
    """Suggest functions and instruments for the last word, where one of them may stand."""
    text = typed.lower()
    match = _WORD.search(text)
    if match is None or not _OPERAND.search(text[: match.start()]):
        return []
    head = typed[: match.start()]
    calls = _calls(text, match[1], is_open=bool(match[2]))
    found = [Choice(f"{head}{call} · {metric_name(call, tr)}", head + call) for call in calls]
    names = [] if match[2] else await office.market.instruments(match[1], most)
    named = [Choice(head + name, head + name) for name in names]
    return [*found, *named] if head else [*named, *found]


def _openings() -> tuple[str, ...]:
    from bot.commands.verbs import COMMANDS

    return next(one.examples for one in COMMANDS if one.name == "alert")


def _calls(text: str, stem: str, *, is_open: bool) -> list[str]:
    """Call the functions whose name begins so, each as is usual, of the rule's first instrument."""
    first = _FIRST.match(text)
    base, rest = "btc", ""
    if first and first[1] not in FUNCTIONS and first.end() < len(text):
        base, rest = first[1], first[2]
    names = [name for name in FUNCTIONS if (name == stem if is_open else name.startswith(stem))]
    return [_called(FUNCTIONS[name], base, rest) for name in names if name != "price"]


def _called(function: Function, base: str, rest: str) -> str:
    is_of_coin = any(one.kind in ("coin", "sessions") for one in function.parameters)
    return _BTC.sub(base if is_of_coin else base + rest, function.example)
