"""The alert language: one line of text and the tree that it means.

It knows no user, exchange or chat: ``read`` what a person typed, ``parse`` canonical text, ``str(rule)`` to
write it, ``explain`` it in a sentence; errors are ``RuleError``, with a ``picture`` of their place.
"""

from bot.rules.errors import RuleError, UnknownLevel, picture
from bot.rules.filling import fill, fix, instruments, levels, metrics, name_stocks, qualify, tickers
from bot.rules.functions import FUNCTIONS, Function, Parameter
from bot.rules.phrases import Phrase, Quantity, english
from bot.rules.reading import Reading, parse, read, read_number
from bot.rules.scanner import is_level_name
from bot.rules.sentence import explain
from bot.rules.tree import (
    And,
    Arithmetic,
    AtLeast,
    Call,
    Compare,
    Condition,
    Crosses,
    Duration,
    Every,
    Held,
    Instrument,
    LevelRef,
    Mode,
    Moves,
    Negative,
    Not,
    Number,
    Options,
    Or,
    Percent,
    Rule,
    Sessions,
    Value,
    Word,
    Zone,
)
from bot.rules.units import Unit, is_bare_macro, unit_of

__all__ = [
    "FUNCTIONS",
    "And",
    "Arithmetic",
    "AtLeast",
    "Call",
    "Compare",
    "Condition",
    "Crosses",
    "Duration",
    "Every",
    "Function",
    "Held",
    "Instrument",
    "LevelRef",
    "Mode",
    "Moves",
    "Negative",
    "Not",
    "Number",
    "Options",
    "Or",
    "Parameter",
    "Percent",
    "Phrase",
    "Quantity",
    "Reading",
    "Rule",
    "RuleError",
    "Sessions",
    "Unit",
    "UnknownLevel",
    "Value",
    "Word",
    "Zone",
    "english",
    "explain",
    "fill",
    "fix",
    "instruments",
    "is_bare_macro",
    "is_level_name",
    "levels",
    "metrics",
    "name_stocks",
    "parse",
    "picture",
    "qualify",
    "read",
    "read_number",
    "tickers",
    "unit_of",
]
