"""Put what was typed in Chinese into the order of English: *1小时跌5%* is *down 5% in 1h*.

A pass over tokens before all other sugar. Each token keeps the place where it was typed, so that a caret
still stands under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.rules.chinese import EXAMPLES
from bot.rules.errors import RuleError
from bot.rules.phrases import Phrase
from bot.rules.scanner import Token
from bot.rules.values import Instrument

_FIRST_SIGN = "\u2e80"
_WAYS = frozenset(["up", "down", "moves"])
_SIZES = frozenset(["above", "at", "least", "reaches"])
_BEHIND = frozenset(["以上", "之上", "上方", "以下", "之下", "下方"])
_APART = frozenset(["and", "to"])
_ZONES = frozenset(["between", "enters", "leaves"])
_NUMBERS = frozenset(["NUMBER", "MINUTES", "MONTHS", "LEVEL"])
_STEPS = _NUMBERS | {"PERCENT"}
_DURATIONS = frozenset(["DURATION", "MINUTES", "MONTHS"])
_END = Token("END", "", 0, 0)


def in_order(text: str, tokens: Sequence[Token]) -> list[Token]:
    """Give the tokens of a line in the order of English; a line without Chinese signs stays as it is."""
    if all(sign < _FIRST_SIGN for sign in text):
        return list(tokens)
    return _Order(text, tokens).run()


def name_as_typed(error: RuleError, tokens: Sequence[Token]) -> None:
    """Let an error name the Chinese word that was typed, not the English one, and its example be Chinese."""
    if all(sign < _FIRST_SIGN for sign in error.text):
        return
    typed = {token.text: error.text[token.at : token.end] for token in tokens}
    words = {word: sign for word, sign in typed.items() if sign >= _FIRST_SIGN}
    said = error.reason.arguments.items()
    named = {name: words.get(value, value) if isinstance(value, str) else value for name, value in said}
    error.reason = Phrase(error.reason.template, named)
    if error.hint is not None:
        shown = {name: EXAMPLES.get(str(value), value) for name, value in error.hint.arguments.items()}
        error.hint = Phrase(error.hint.template, shown)


class _Order:
    """One pass from left to right; ``out`` is what was put in order."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.out: list[Token] = []

    def run(self) -> list[Token]:
        at = 0
        while at < len(self.tokens):
            at += self._step(at)
        return self.out

    def _step(self, at: int) -> int:
        """Read one token or several; give how many they were."""
        token, typed = self.tokens[at], self._typed(at)
        if typed < _FIRST_SIGN:
            self.out.append(token)
            return 1
        if token.text in _WAYS and (length := self._moved(at)):
            return length
        if token.text == "every" and (length := self._stepped(at)):
            return length
        if token.text == "in" and self._last().kind in _DURATIONS:
            if self._token(at + 1).text not in _WAYS:
                self.out.insert(-1, token)
            return 1
        if typed in _BEHIND and self._last().kind in _NUMBERS:
            self.out.insert(-1, token)
            return 1
        if token.text == "reaches" and self._is_between(self._last(), self._token(at + 1)):
            token = replace(token, kind="NAME", text="to", value=Instrument("to"))
            if self._last(2).text not in _ZONES:
                self.out.insert(-1, self._between(token))
        if token.text == "between":
            self._bind(token)
            return 1
        self.out.append(token)
        return 1

    def _moved(self, at: int) -> int:
        """Read *1小时跌超过5%*: the time, in front, goes behind the size."""
        end = at + 1
        while self._token(end).text in _SIZES:
            end += 1
        has_time = self._last().kind in _DURATIONS and self._last(2).kind != "FOR"
        if self._token(end).kind != "PERCENT" and not (has_time and self._token(end).kind in _NUMBERS):
            return 0
        time = self.out.pop() if has_time else None
        self.out += [self.tokens[at], self.tokens[end]]
        if time:
            self.out += [Token("IN", "in", time.at, time.end), time]
        return end + 1 - at

    def _stepped(self, at: int) -> int:
        """Read *每跌1000美元*: the direction goes behind the step."""
        way, step, money = (self._token(at + further) for further in (1, 2, 3))
        if way.text not in {"up", "down"} or step.kind not in _STEPS:
            return 0
        has_money = money.text == "dollars"
        self.out += [self.tokens[at], step, *([money] if has_money else []), way]
        return 3 + has_money

    def _bind(self, token: Token) -> None:
        """Put *之间* in front of the two numbers before it."""
        low, apart, high = self._last(3), self._last(2), self._last()
        if apart.text in _APART and self._is_between(low, high) and self._last(4).text not in _ZONES:
            self.out.insert(-3, self._between(token))

    def _between(self, token: Token) -> Token:
        return replace(token, kind="RESERVED", text="between", value=None)

    def _is_between(self, low: Token, high: Token) -> bool:
        return low.kind in _NUMBERS and high.kind in _NUMBERS

    def _typed(self, at: int) -> str:
        return self.text[self.tokens[at].at : self.tokens[at].end]

    def _token(self, at: int) -> Token:
        return self.tokens[at] if at < len(self.tokens) else _END

    def _last(self, back: int = 1) -> Token:
        return self.out[-back] if back <= len(self.out) else _END
