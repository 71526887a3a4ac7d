"""What to say of a token that cannot stand where it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from decimal import Decimal

from bot.rules.errors import RuleError, show, suggest
from bot.rules.grammar import Unexpected
from bot.rules.phrases import Phrase, plain, to_say
from bot.rules.scanner import Token
from bot.rules.sugar import VERBS
from bot.rules.words import KEYWORDS, OPTIONS, QUOTES, RESERVED

EXAMPLE = show("btc < 100k")

_MISSING = (
    ("CMP", to_say("What about {before}?"), "{before} < 100k"),
    ("STRING", to_say("A text in quotation marks must follow."), 'note "cut the long"'),
    ("DATE", to_say("A date or a duration must follow."), "until 2026-12-31"),
    ("DURATION", to_say("A duration must follow."), "{before} 4h"),
    ("NUMBER", to_say("A number or a level must follow."), "btc < 100k"),
    ("PERCENT", to_say("A percentage must follow."), "btc moves 5% in 1h"),
    ("IN", to_say("In what time?"), "btc moves 5% in 1h"),
    ("RANGE", to_say("To what level?"), "btc enters 98k .. 105k"),
    ("LPAR", to_say("Conditions in brackets must follow."), "2 of (btc < 100k, eth < 3k)"),
    ("RPAR", to_say("This bracket is never closed."), ""),
)
"""What is said where a line ends too early, by what could have followed; the first that fits counts."""

_SIGNS = frozenset(["PLUS", "MINUS", "STAR", "SLASH"])
_BEFORE_LEVELS = frozenset(["CMP", "CROSSES", "ABOVE", "BELOW", "ENTERS", "LEAVES", "RANGE", *_SIGNS])


def complain(text: str, tokens: Sequence[Token], error: Unexpected) -> RuleError:
    """Turn a syntax error into a place, a reason and a hint."""
    if error.index >= len(tokens):
        return _ended(text, tokens, error.expected)
    token = tokens[error.index]
    before = tokens[error.index - 1] if error.index else None
    after = tokens[error.index + 1] if error.index + 1 < len(tokens) else None
    return RuleError(text, token.at, *_reason(token, before, after, error.expected))


def nearest(word: str, choices: Iterable[str]) -> str:
    """Pick the choice most like a word, or nothing if none is like it."""
    return next(iter(difflib.get_close_matches(word, sorted(choices), n=1, cutoff=0.66)), "")


def _ended(text: str, tokens: Sequence[Token], expected: frozenset[str]) -> RuleError:
    if not tokens:
        return RuleError(text, 0, Phrase("There is no rule here."), EXAMPLE)
    end, last = tokens[-1].end, tokens[-1]
    if "SESSIONS" in expected:
        return RuleError(text, last.at, *_no_duration(last))
    if _is_step(expected):
        return RuleError(text, end, *_no_step(last))
    if "CMP" in expected and last.kind == "NUMBER" and len(tokens) > 1 and tokens[-2].text in ("+", "-"):
        sign = tokens[-2]
        hint = show(f"{tokens[0].text} {sign.text}5% in 1h")
        return RuleError(text, sign.at, Phrase('"{word}" does not fit here.', {"word": sign.text}), hint)
    if "NAME" in expected and last.kind not in _BEFORE_LEVELS:
        return RuleError(text, end, Phrase("An instrument must follow."), EXAMPLE)
    for kind, reason, example in _MISSING:
        if kind not in expected or (kind == "LPAR" and "CMP" in expected):
            continue
        if kind == "RPAR":
            return RuleError(text, _open_bracket(tokens), Phrase(reason))
        said = Phrase(reason, {"before": last.text} if kind == "CMP" else {})
        hint = EXAMPLE if kind == "CMP" and last.kind != "NAME" else show(example.format(before=last.text))
        return RuleError(text, end, said, hint)
    return RuleError(text, end, Phrase("The rule ends too early."), EXAMPLE)


def _open_bracket(tokens: Sequence[Token]) -> int:
    opened: list[int] = []
    for token in tokens:
        if token.kind == "LPAR":
            opened.append(token.at)
        elif token.kind == "RPAR" and opened:
            opened.pop()
    return opened[-1]


def _reason(
    token: Token, before: Token | None, after: Token | None, expected: frozenset[str]
) -> tuple[Phrase, Phrase | None]:
    word = token.text
    misfit = Phrase('"{word}" does not fit here.', {"word": word})
    kind_before, kind_after = before.kind if before else "", after.kind if after else ""
    is_after_value = "CMP" in expected
    is_after_condition = bool({"AND", "ONCE"} & expected)
    if "SESSIONS" in expected and before:
        return _no_duration(before)
    if _is_step(expected):
        return _no_step(before)
    if {"COMMA", "RPAR"} <= expected and token.kind in {"CMP", "CROSSES", "MOVES", "EVERY"}:
        return Phrase("A closing bracket is missing before this."), None
    match token.kind:
        case "RPAR" if "COMMA" in expected and "RPAR" not in expected:
            return Phrase("Another condition must follow."), show("2 of (btc < 100k, eth < 3k)")
        case "RPAR" if is_after_condition:
            return Phrase("This bracket was never opened."), None
        case "CMP" | "EQUALS" | "MOVES" | "CROSSES" if before and before.text in KEYWORDS:
            return misfit, Phrase("The instrument is {name}", {"name": f"{before.text}/usdt"})
        case _ if word in KEYWORDS | RESERVED and kind_after in {"CMP", "MOVES"} and "NAME" in expected:
            return misfit, Phrase("The instrument is {name}", {"name": f"{word}/usdt"})
        case "MINUS" | "RESERVED" if before and after and kind_before == kind_after == "NAME":
            if after.text in QUOTES:
                return misfit, suggest(f"{before.text}/{after.text}")
        case "NUMBER" | "MINUTES" | "MONTHS" if "PERCENT" in expected and "NUMBER" not in expected:
            return Phrase("A percentage must follow."), suggest(f"{word}%")
        case "DURATION" | "MINUTES" if "FOR" in expected:
            return misfit, suggest(f"for {word}")
        case "NUMBER" if "DURATION" in expected:
            return _no_duration(token)
        case "NUMBER" if before and kind_before == "NUMBER" and word.isdigit():
            return misfit, suggest(f"{int(before.text + word):,}") if before.text.isdigit() else None
        case "NAME" if before and word in QUOTES and kind_before == "NAME":
            return misfit, suggest(f"{before.text}/{word}")
        case "RESERVED" if word in {"between", "within"}:
            return misfit, show("98k < btc < 105k")
        case "NAME" if before and word in QUOTES and kind_before in {"NUMBER", "MINUTES", "MONTHS"}:
            hint = Phrase(
                "Name the currency with the instrument: {example}", {"example": f"btc/{word} < {before.text}"}
            )
            return misfit, hint
        case "PLUS" | "MINUS" if is_after_value and before and after and after.kind == "NUMBER":
            return misfit, show(f"{before.text} {word}5% in 1h")
    if "NAME" in expected and kind_before not in _BEFORE_LEVELS:
        return Phrase("An instrument must stand here."), EXAMPLE
    for kind, reason, example in _MISSING:
        if kind in expected and kind not in {"CMP", "RPAR"} and not (is_after_condition or is_after_value):
            return Phrase(reason), show(example.format(before=before.text if before else ""))
    return _unknown(token, before, is_after_value, is_after_condition) or (misfit, EXAMPLE)


def _unknown(
    token: Token, before: Token | None, is_after_value: bool, is_after_condition: bool
) -> tuple[Phrase, Phrase | None] | None:
    if token.kind not in {"NAME", "UP", "DOWN"}:
        return None
    if token.text in VERBS:
        return Phrase('"{verb}" needs a level or a percentage.', {"verb": token.text}), EXAMPLE
    choices: Iterable[str] = ()
    if is_after_condition:
        choices = {*OPTIONS, "and", "or", "for"}
    elif is_after_value:
        choices = {*VERBS, "crosses", "enters", "leaves", "every"}
    like = nearest(token.text, choices)
    hint = suggest(like) if like else EXAMPLE
    return Phrase('"{word}" is no word that fits here.', {"word": token.text}), hint


def _is_step(expected: frozenset[str]) -> bool:
    return {"NUMBER", "PERCENT"} <= expected and "NAME" not in expected


def _no_step(before: Token | None) -> tuple[Phrase, Phrase | None]:
    example = "rearm 0.5%" if before and before.kind == "REARM" else "btc every 2% down"
    return Phrase("A number or a percentage must follow."), show(example)


def _no_duration(token: Token) -> tuple[Phrase, Phrase | None]:
    value = token.value
    hint = suggest(f"{plain(value)}m") if isinstance(value, Decimal) and not value % 1 else None
    return Phrase('"{word}" is no duration.', {"word": token.text}), hint
