"""Verb phrases: what people write between a subject and its level, in the words of the grammar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import NoReturn

from bot.rules.errors import RuleError, show
from bot.rules.idioms import ENDS, FALLS, RISES, Found, Idioms
from bot.rules.numerals import Slip, check_number
from bot.rules.phrases import Phrase, plain
from bot.rules.scanner import Token
from bot.rules.tree import Op, Way

ABOVE = frozenset(["above", "over"])
BELOW = frozenset(["below", "under"])
GOES = frozenset(["is", "goes", "gets", "trades", "breaks", "moves", "stays"])
REACHES = frozenset(["breaks", "hits", "reaches", "touches", "tags"])
STAYS = frozenset(["stays", "remains", "holds"])
VERBS = RISES | FALLS | GOES | REACHES | ABOVE | BELOW
"""Words that may follow an instrument; a misspelt one is compared with them."""


NUMBERS = frozenset(["NUMBER", "MINUTES", "MONTHS"])
LEVELS = NUMBERS | {"LEVEL"}
_DURATIONS = frozenset(["DURATION", "MINUTES", "MONTHS"])
_BEHIND_NAMES = frozenset(
    ["CMP", "CROSSES", "MOVES", "ENTERS", "LEAVES", "EVERY", "EQUALS", "STAR", "SLASH", "COLON"]
)
_END = Token("END", "", 0, 0)
_SPELLED: tuple[tuple[str, Op], ...] = (
    ("at or above", ">="),
    ("at or below", "<="),
    ("at least", ">="),
    ("at most", "<="),
    ("more than", ">"),
    ("greater than", ">"),
    ("higher than", ">"),
    ("less than", "<"),
    ("lower than", "<"),
    ("above", ">"),
    ("over", ">"),
    ("below", "<"),
    ("under", "<"),
    ("exceeds", ">"),
)
_MORE = frozenset(["more than", "at least", "over"])
"""What stands in front of the size of a move and says nothing: it is a move of at least that size."""

_INSIDE = frozenset(["between", "inside", "within", "into", "in", "enters"])
_OUTSIDE = frozenset(["leaves", "exits", "outside"])
_APART = frozenset(["and", "to", "-", ".."])


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb phrase: how many tokens it took, and the canonical tokens that stand for it.

    ``before`` are those that go in front of the subject.
    """

    length: int
    tokens: tuple[Token, ...]
    is_plain: bool = False
    before: tuple[Token, ...] = ()


class Verbs:
    """Recognize the verb phrases of one line; ``subject`` is always the token that names it in an error."""

    def __init__(self, text: str, tokens: Sequence[Token], idioms: Idioms) -> None:
        self.text = text
        self.tokens = tokens
        self.idioms = idioms

    def find(self, at: int, subject: Token, owner: Token | None, is_elided: bool = False) -> Verb | None:
        """Recognize a verb phrase whose subject stands before ``at``, or was left out there.

        Raises RuleError where a word is known and what it needs is missing.
        """
        first = self.token(at)
        if is_elided and ((first.kind != "CMP" and first.text not in VERBS) or self._is_subject(at)):
            return None
        return (
            self._extreme(at, owner)
            or self._comparison(at, owner)
            or self._zone(at)
            or self._move(at, subject)
            or self._turn(at)
            or self._reach(at, owner, is_elided)
        )

    def level(self, at: int, owner: Token | None) -> Found | None:
        """Recognize a phrase that stands where a level does: ``200dma``, ``eth 200dma``."""
        if found := self.idioms.noun(at, owner):
            return found
        token = self.token(at)
        if token.kind == "NAME" and (found := self.idioms.noun(at + 1, token, is_adjacent=True)):
            return replace(found, length=found.length + 1)
        return None

    def token(self, at: int) -> Token:
        """Give a token, or one that ends the line."""
        return self.tokens[at] if at < len(self.tokens) else _END

    def _is_subject(self, at: int) -> bool:
        """Whether a word that may be a verb is a name: ``falls < 5``."""
        after = self.token(at + 1)
        if after.kind in {"PLUS", "MINUS"}:
            return self.token(at + 2).kind != "PERCENT"
        return after.kind in _BEHIND_NAMES

    # --- levels ---

    def _extreme(self, at: int, owner: Token | None) -> Verb | None:
        """``hits a new ath``: an extreme of earlier minutes is passed, whatever the word."""
        first = self.token(at)
        skipped = 1 if first.text in {*REACHES, "makes", "sets", "posts", "prints", "at", "is"} else 0
        skipped += skipped and self.token(at + 1).text == "at"
        found = self.idioms.noun(at + skipped, owner)
        if found is None or found.role != "extreme" or found.subject:
            return None
        if self.token(at + skipped + found.length).kind not in ENDS:
            return None
        is_high = found.tokens[0].text == "highest"
        return Verb(skipped + found.length, (_sign(first, ">" if is_high else "<"), *found.tokens))

    def _comparison(self, at: int, owner: Token | None) -> Verb | None:
        first, second = self.token(at), self.token(at + 1)
        if first.kind == "CMP" and self._is_level(at + 1, owner):
            return Verb(1, (first,), is_plain=True)
        if first.text in RISES | FALLS and second.text == "to" and self._is_level(at + 2, owner):
            return Verb(2, (_sign(first, ">=" if first.text in RISES else "<="),))
        if first.text in {"loses", "reclaims"} and self._is_level(at + 1, owner):
            return Verb(1, (_sign(first, "<" if first.text == "loses" else ">"),))
        skipped = 1 if first.text in RISES | FALLS | GOES | STAYS and not self._is_spelled(at) else 0
        for words, op in _SPELLED:
            count = words.count(" ") + 1
            place = at + skipped
            said = " ".join(token.text for token in self.tokens[place : place + count])
            is_move = first.text in RISES | FALLS and self.token(place + count).kind == "PERCENT"
            if is_move and words in _MORE:
                continue
            if said == words and self._is_level(place + count, owner):
                return Verb(
                    skipped + count, (_sign(first, op),), not skipped or first.text in {"is", "stays"}
                )
        return None

    def _is_spelled(self, at: int) -> bool:
        return any(words.split()[0] == self.token(at).text for words, _ in _SPELLED)

    def _reach(self, at: int, owner: Token | None, is_elided: bool) -> Verb | None:
        first = self.token(at)
        second = self.token(at + 1)
        if first.text in {"is", "trades"} and second.text == "at" and self._is_level(at + 2, owner):
            return Verb(2, (_word(first, "crosses"),))
        is_reaching = first.kind == "EQUALS" or first.text in {*REACHES, "is", "at", "to"}
        if is_reaching and second.kind not in {"PERCENT", "MINUS"} and self._is_level(at + 1, owner):
            return Verb(1, (_word(first, "crosses"),))
        if first.text in {"goes", "gets"} and second.text == "to" and self._is_level(at + 2, owner):
            return Verb(2, (_word(first, "crosses"),))
        if first.kind == "CROSSES" and second.text in {"over", "under"} and self._is_level(at + 2, owner):
            side = _word(second, "above" if second.text in ABOVE else "below")
            return Verb(2, (first, side), is_plain=True)
        if first.kind in LEVELS and second.kind in ENDS and not is_elided:
            return Verb(1, (_word(first, "crosses"), first))
        found = None if is_elided else self.idioms.noun(at, owner)
        if found and found.role == "level" and self.token(at + found.length).kind in ENDS:
            return Verb(found.length, (_word(first, "crosses"), *found.tokens))
        return None

    def _turn(self, at: int) -> Verb | None:
        """``turns negative``: the value crosses zero."""
        first, second = self.token(at), self.token(at + 1)
        if first.text not in {"turns", "flips", "goes", "becomes", "gets"}:
            return None
        if second.text not in {"positive", "negative"}:
            return None
        zero = Token("NUMBER", "0", second.at, second.end, Decimal(0))
        side = _word(second, "above" if second.text == "positive" else "below")
        return Verb(2, (_word(first, "crosses"), side, zero))

    # --- zones ---

    def _zone(self, at: int) -> Verb | None:
        """``between 98k and 105k``: a pulse where it begins, an interval where it lasts."""
        begin, first = at, self.token(at)
        lasts = first.text in STAYS
        at += first.text in {*GOES, *STAYS, *RISES, *FALLS, "comes"}
        word = self.token(at).text
        is_inside = word in _INSIDE
        if not is_inside and word not in _OUTSIDE:
            return self._dash(begin)
        at += 1
        at += self.token(at).text == "of"
        bounds = self._bounds(at)
        if bounds is None or (word in {"enters", "leaves"} and self.token(at + 1).kind == "RANGE"):
            return None
        if self.token(at + 3).kind not in ENDS:
            return None
        if is_inside and (lasts or self.token(at + 3).kind == "FOR"):
            low, high = bounds
            return Verb(at + 3 - begin, (_sign(first, "<"), high), before=(low, _sign(first, "<")))
        return self._entered(begin, at + 3, "enters" if is_inside else "leaves", bounds)

    def _dash(self, at: int) -> Verb | None:
        """``btc 98k-105k``."""
        bounds = self._bounds(at)
        if (
            bounds is None
            or self.token(at + 1).text == "and"
            or self.token(at + 3).kind not in ENDS - {"FOR"}
        ):
            return None
        return self._entered(at, at + 3, "enters", bounds)

    def _entered(self, begin: int, end: int, word: str, bounds: tuple[Token, Token]) -> Verb:
        low, high = bounds
        between = Token("RANGE", "..", low.end, high.at)
        return Verb(end - begin, (_word(self.token(begin), word), low, between, high))

    def _bounds(self, at: int) -> tuple[Token, Token] | None:
        """Read two levels, the lower one first."""
        low, between, high = (self.token(at + place) for place in range(3))
        if low.kind not in LEVELS or high.kind not in LEVELS or between.text not in _APART:
            return None
        match low.value, high.value:
            case Decimal() as one, Decimal() as other if _number(low, one) > _number(high, other):
                return high, low
        return low, high

    # --- moves ---

    def _move(self, at: int, subject: Token) -> Verb | None:
        start = at
        if self.token(at).kind in _DURATIONS and (early := self._early(at)):
            return early
        at += self.token(at).text in {"is", "goes", "gets", "moves"}
        ways: list[Way] = []
        if self.token(at).text in RISES | FALLS:
            ways.append("up" if self.token(at).text in RISES else "down")
            at += 1
        at += self.token(at).text == "by"
        if ways:
            at += self._more(at)
        if self.token(at).kind in {"PLUS", "MINUS"} and self.token(at + 1).kind == "PERCENT":
            ways.append("up" if self.token(at).kind == "PLUS" else "down")
            at += 1
        percent = self.token(at)
        if percent.kind != "PERCENT":
            if ways and percent.kind in NUMBERS:
                self._refuse_distance(self.token(at - 1), percent, subject)
            return None
        if len(set(ways)) > 1:
            return None
        return self._rest_of_move(start, ways[0] if ways else "", at, subject)

    def _early(self, at: int) -> Verb | None:
        """``btc 1h -5%``: the window stands first."""
        window, sign = self.token(at), self.token(at + 1)
        is_signed = sign.kind in {"PLUS", "MINUS"}
        percent = self.token(at + 1 + is_signed)
        if percent.kind != "PERCENT" or self.token(at + 2 + is_signed).kind not in ENDS:
            return None
        way = (_word(sign, "up" if sign.kind == "PLUS" else "down"),) if is_signed else ()
        verb, inside = replace(window, kind="MOVES", text="moves"), replace(percent, kind="IN", text="in")
        return Verb(2 + is_signed, (verb, *way, percent, inside, window))

    def _more(self, at: int) -> int:
        """Count the tokens of *more than* in front of a percentage."""
        first, second = self.token(at).text, self.token(at + 1)
        if (first, second.text) in {("more", "than"), ("at", "least")} and self.token(
            at + 2
        ).kind == "PERCENT":
            return 2
        return int(first == "over" and second.kind == "PERCENT")

    def _rest_of_move(self, start: int, way: Way, at: int, subject: Token) -> Verb | None:
        begin, percent, after = self.token(start), self.token(at), at + 1
        if not way and self.token(after).text in {"up", "down"}:
            way = "up" if self.token(after).text == "up" else "down"
            after += 1
        if self.token(after).text == "from" and self.token(after + 1).kind in LEVELS:
            level = self._distant(percent, way, self.token(after + 1), subject)
            return Verb(after + 2 - start, (_sign(begin, ">=" if way == "up" else "<="), level))
        is_bare = subject.kind == "NAME" and " " not in subject.text and self.token(after).text == "from"
        found = self.idioms.noun(after + 1, subject) if is_bare else None
        if found and way and isinstance(percent.value, Decimal):
            share = 1 + (percent.value if way == "up" else -percent.value) / 100
            factor = Token("NUMBER", plain(share), percent.at, percent.end, share)
            times = Token("STAR", "*", percent.at, percent.end)
            sign = _sign(begin, ">=" if way == "up" else "<=")
            return Verb(after + 1 + found.length - start, (sign, factor, times, *found.tokens))
        behind = self.token(after)
        if behind.text in {"in", "within", "over", "during"}:
            after += 1
            after += self.token(after).text == "the"
            after += self.token(after).text in {"last", "past"}
        window = self.token(after)
        if window.kind not in _DURATIONS:
            if behind.kind in ENDS:
                self._refuse_endless(percent, way, subject)
            return None
        verb = replace(begin, kind="MOVES", text="moves")
        direction = (_word(begin, way),) if way else ()
        inside = replace(window, kind="IN", text="in", end=window.at)
        tokens = (verb, *direction, percent, inside, window)
        typed = self.tokens[start : after + 1]
        is_canonical = [token.text for token in tokens] == [token.text for token in typed]
        return Verb(len(typed), tokens, is_canonical)

    def _distant(self, percent: Token, way: Way, level: Token, subject: Token) -> Token:
        """Take a share off a number: 5% down from 98k is 93100."""
        if level.kind == "LEVEL" or not way or not isinstance(level.value, Decimal):
            reason = Phrase("A share can be taken only of a number, with + or - before it.")
            raise RuleError(self.text, percent.at, reason, show(f"{subject.text} -5% from 98k"))
        share = percent.value if isinstance(percent.value, Decimal) else Decimal(0)
        with localcontext() as context:
            context.prec = 80  # more than two numbers of the language have together, so nothing is rounded
            base = _number(level, level.value)
            value = (base * (100 + share if way == "up" else 100 - share) / 100).normalize()
        try:
            return replace(level, kind="NUMBER", value=check_number(value))
        except Slip as slip:
            raise RuleError(self.text, percent.at, slip.reason, slip.hint) from None

    def _refuse_endless(self, percent: Token, way: Way, subject: Token) -> NoReturn:
        example = f"{subject.text} moves {way + ' ' if way else ''}{percent.text} in 24h"
        reason = Phrase("{percent} in what time?", {"percent": percent.text})
        raise RuleError(self.text, percent.end, reason, show(example))

    def _refuse_distance(self, verb: Token, number: Token, subject: Token) -> NoReturn:
        reason = Phrase('"{verb}" needs a level or a percentage.', {"verb": verb.text})
        to, way = (
            ("to", verb.text) if verb.kind == "NAME" else ("", "above" if verb.text == "up" else "below")
        )
        level = " ".join(part for part in (subject.text, way, to, number.text) if part)
        hint = Phrase(
            "Type {level} or {move}", {"level": level, "move": f"{subject.text} {verb.text} 5% in 1h"}
        )
        raise RuleError(self.text, number.at, reason, hint)

    def _is_level(self, at: int, owner: Token | None) -> bool:
        token = self.token(at)
        if token.kind == "MINUS":
            return self.token(at + 1).kind in NUMBERS | {"PERCENT", "NAME", "LEVEL", "LPAR"}
        if token.kind in LEVELS or token.kind in {"NAME", "LPAR", "PERCENT"}:
            return True
        return self.level(at, owner) is not None


def _number(token: Token, value: Decimal) -> Decimal:
    return value if token.kind == "NUMBER" else value * 10**6


def _sign(place: Token, op: Op) -> Token:
    return Token("CMP", op, place.at, place.end)


def _word(place: Token, word: str) -> Token:
    return Token(word.upper(), word, place.at, place.end)
