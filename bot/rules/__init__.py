"""The alert language: one line of text and the tree that it means.

It knows no user, exchange or chat: ``read`` what a person typed, ``parse`` canonical text, ``str(rule)`` to
write it, ``explain`` it in a sentence; errors are ``RuleError``, with a ``picture`` of their place.
"""

from bot.rules.errors import RuleError, UnknownLevel, picture
from bot.rules.filling import fill, fix, instruments, levels, qualify
from bot.rules.phrases import Phrase, Quantity, english
from bot.rules.reading import Reading, parse, read
from bot.rules.scanner import is_level_name
from bot.rules.sentence import explain
from bot.rules.tree import (
    And,
    Compare,
    Condition,
    Crosses,
    Duration,
    Held,
    Instrument,
    LevelRef,
    Mode,
    Moves,
    Not,
    Number,
    Options,
    Or,
    Percent,
    Rule,
    Value,
)

__all__ = [
    "And",
    "Compare",
    "Condition",
    "Crosses",
    "Duration",
    "Held",
    "Instrument",
    "LevelRef",
    "Mode",
    "Moves",
    "Not",
    "Number",
    "Options",
    "Or",
    "Percent",
    "Phrase",
    "Quantity",
    "Reading",
    "Rule",
    "RuleError",
    "UnknownLevel",
    "Value",
    "english",
    "explain",
    "fill",
    "fix",
    "instruments",
    "is_level_name",
    "levels",
    "parse",
    "picture",
    "qualify",
    "read",
]
