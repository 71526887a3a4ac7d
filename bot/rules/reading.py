"""Reading a line: scanner, sugar, grammar, builder, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from bot.rules.builder import build
from bot.rules.checks import has_sessions_alone
from bot.rules.complaints import complain
from bot.rules.errors import RuleError
from bot.rules.grammar import Unexpected, ends_open, read_tree
from bot.rules.phrases import Phrase
from bot.rules.reordering import name_as_typed
from bot.rules.scanner import number_of, scan
from bot.rules.sugar import sweeten
from bot.rules.tree import And, AtLeast, Crosses, Duration, Every, Held, Or, Rule, Zone

TYPED, STORED = 500, 8000
"""Most characters of a line: of one that is typed, and of one that canonical text, filled in, may grow to."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a typed line was taken for.

    ``is_sugared``: words that carry meaning were rewritten (``btc 100k`` became ``btc crosses 100000``), so
    the answer should show the canonical text. ``other`` is a second reading that is as likely: where ``for``
    ends a line of several conditions, the rule in which it holds for all of them.
    """

    rule: Rule
    is_sugared: bool
    other: Rule | None = None


def read(text: str) -> Reading:
    """Read a line that a person typed, of at most 500 characters. Raises RuleError."""
    return _read(text, TYPED)


def parse(text: str) -> Rule:
    """Read a rule. Raises RuleError.

    Takes longer lines than people may type, for a canonical text with its levels filled in can be longer than
    what was typed.
    """
    return _read(text, STORED).rule


def read_number(text: str) -> Decimal | None:
    """Read a number above zero as a rule would (``98.7k``, ``$100,000``), or give ``None`` if it is none."""
    if len(text) > TYPED:
        return None
    try:
        tokens, _ = sweeten(text, scan(text))
    except RuleError:
        return None
    value = number_of(tokens[0]) if len(tokens) == 1 else None
    return value if value else None


def _read(text: str, longest: int) -> Reading:
    if len(text) > longest:
        raise RuleError(text, longest, Phrase("A rule has at most {count} characters.", {"count": longest}))
    scanned = scan(text)
    try:
        tokens, is_sugared = sweeten(text, scanned)
        try:
            branch = read_tree(tokens)
        except Unexpected as error:
            raise complain(text, tokens, error) from None
        rule, is_reread = build(text, branch)
    except RuleError as error:
        name_as_typed(error, scanned)
        raise
    return Reading(rule, is_sugared or is_reread, _other(rule) if ends_open(branch) else None)


def _other(rule: Rule) -> Rule | None:
    """Give the reading in which a closing ``for`` holds for the whole line, if it is likely."""
    match rule.condition:
        case (And(parts=parts) | Or(parts=parts)) as joined:
            *before, last = parts
            unlikely = (Held, Crosses, Zone, Every, AtLeast, And, Or)
            if isinstance(last, Held) and not any(isinstance(one, unlikely) for one in before):
                whole = type(joined)((*before, last.condition))
                if isinstance(last.duration, Duration) or has_sessions_alone(whole):
                    return Rule(Held(whole, last.duration), rule.options)
    return None
