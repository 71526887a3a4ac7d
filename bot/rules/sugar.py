"""What people also type, rewritten into what the grammar reads.

A pass over tokens before the grammar. It looks only at a subject at the head of a clause and the few tokens
behind it, so a bare *and* never splits anything, and what it does not know it leaves to the grammar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import NoReturn

from bot.rules.errors import RuleError, show
from bot.rules.numerals import Slip, check_number
from bot.rules.phrases import Phrase
from bot.rules.scanner import Token
from bot.rules.tree import Duration, Op, Way
from bot.rules.words import ARTICLES, COMPARISONS

ABOVE = frozenset(["above", "over"])
BELOW = frozenset(["below", "under"])
RISES = frozenset(["rises", "gains", "pumps", "jumps", "climbs", "rallies", "surges", "up"])
FALLS = frozenset(
    ["falls", "drops", "loses", "dumps", "crashes", "dips", "sinks", "slides", "plunges", "down"]
)
GOES = frozenset(["is", "goes", "gets", "trades", "breaks", "moves"])
REACHES = frozenset(["breaks", "hits", "reaches", "touches"])
VERBS = RISES | FALLS | GOES | REACHES | ABOVE | BELOW
"""Words that may follow an instrument; a misspelt one is compared with them."""

_NUMBERS = frozenset(["NUMBER", "MINUTES", "MONTHS"])
_LEVELS = _NUMBERS | {"LEVEL"}
_DURATIONS = frozenset(["DURATION", "MINUTES", "MONTHS"])
_HEADS = frozenset(["AND", "OR", "NOT", "LPAR", "COMMA"])
_ENDS = frozenset(["AND", "OR", "RPAR", "COMMA", "FOR", "ONCE", "REPEAT", "COOLDOWN", "UNTIL", "NOTE", "END"])
_TURNED: dict[Op, Op] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_END = Token("END", "", 0, 0)


def sweeten(text: str, tokens: Sequence[Token]) -> tuple[list[Token], bool]:
    """Rewrite tokens into canonical ones; say too whether words changed that carry meaning.

    *above* for ``>`` is only spelling; *breaks* for ``crosses`` is an interpretation that people should see.
    Raises RuleError where a word is known and what it needs is missing.
    """
    return _Pass(text, _with_articles(tokens)).run()


@dataclass(frozen=True, slots=True)
class _Verb:
    """A verb phrase: how many tokens it took, and the canonical tokens that stand for it."""

    length: int
    tokens: tuple[Token, ...]
    is_plain: bool = False


class _Pass:
    """One pass from left to right; ``out`` is what the grammar will read."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.out: list[Token] = []
        self.is_sugared = False

    def run(self) -> tuple[list[Token], bool]:
        subject: Token | None = None
        at = 0
        while at < len(self.tokens):
            is_head = not self.out or self.out[-1].kind in _HEADS
            token = self.tokens[at]
            if is_head and subject and self.out and (verb := self._verb(at, subject, is_elided=True)):
                at += self._put_elided(at, subject, verb)
            elif is_head and token.kind == "NAME":
                subject = token
                self.out.append(token)
                at += 1
                if verb := self._verb(at, subject):
                    at += self._put(verb)
            else:
                self.out.append(token)
                at += 1
        return self.out, self.is_sugared

    def _put(self, verb: _Verb) -> int:
        self.out.extend(verb.tokens)
        self.is_sugared = self.is_sugared or not verb.is_plain
        return verb.length

    def _put_elided(self, at: int, subject: Token, verb: _Verb) -> int:
        """Repeat the subject that was left out; two ends joined by *and* become one interval."""
        self.is_sugared = True
        level = self._token(at + verb.length)
        if self._is_interval(subject, verb, level):
            _, first, bound, _ = self.out[-4:]
            del self.out[-4:]
            low, high = (bound, first), (level, verb.tokens[0])
            if first.text[0] == "<":
                low, high = high, low
            self.out += [low[0], _sign(low[1], _TURNED[COMPARISONS[low[1].text]]), subject, high[1], high[0]]
            return verb.length + 1
        self.out += [replace(subject, at=verb.tokens[0].at, end=verb.tokens[0].end), *verb.tokens]
        return verb.length

    def _is_interval(self, subject: Token, verb: _Verb, level: Token) -> bool:
        """Whether what stands last is ``subject > bound and``, and the other end comes next."""
        before = self.out[-5].kind if len(self.out) > 4 else ""
        match self.out[-4:], verb.tokens:
            case [thing, Token(kind="CMP") as first, bound, Token(kind="AND")], [Token(kind="CMP") as second]:
                is_simple = bound.kind in _LEVELS and level.kind in _LEVELS
                return thing is subject and before != "NOT" and is_simple and first.text[0] != second.text[0]
        return False

    # --- verb phrases ---

    def _verb(self, at: int, subject: Token, is_elided: bool = False) -> _Verb | None:
        """Recognize a verb phrase whose subject stands before ``at``, or was left out there."""
        first = self._token(at)
        if is_elided:
            known = first.kind == "CMP" or first.text in VERBS
            if not known or self._token(at + 1).kind in {"CMP", "CROSSES", "MOVES", "EQUALS"}:
                return None
        return self._comparison(at) or self._move(at, subject) or self._reach(at, is_elided)

    def _comparison(self, at: int) -> _Verb | None:
        first, second = self._token(at), self._token(at + 1)
        if first.kind == "CMP" and self._is_level(at + 1):
            return _Verb(1, (first,), is_plain=True)
        if first.text in ABOVE | BELOW and self._is_level(at + 1):
            return _Verb(1, (_sign(first, ">" if first.text in ABOVE else "<"),), is_plain=True)
        if first.text in RISES | FALLS | GOES and second.text in ABOVE | BELOW and self._is_level(at + 2):
            return _Verb(2, (_sign(first, ">" if second.text in ABOVE else "<"),), first.text == "is")
        if first.text in RISES | FALLS and second.text == "to" and self._is_level(at + 2):
            return _Verb(2, (_sign(first, ">=" if first.text in RISES else "<="),))
        if first.text == "loses" and self._is_level(at + 1):
            return _Verb(1, (_sign(first, "<"),))
        return None

    def _reach(self, at: int, is_elided: bool) -> _Verb | None:
        first = self._token(at)
        second = self._token(at + 1)
        if (first.kind == "EQUALS" or first.text in {*REACHES, "is"}) and self._is_level(at + 1):
            return _Verb(1, (_word(first, "crosses"),))
        if first.text in {"goes", "gets"} and second.text == "to" and self._is_level(at + 2):
            return _Verb(2, (_word(first, "crosses"),))
        if first.kind == "CROSSES" and second.text in {"over", "under"} and self._is_level(at + 2):
            side = _word(second, "above" if second.text in ABOVE else "below")
            return _Verb(2, (first, side), is_plain=True)
        if first.kind in _LEVELS and second.kind in _ENDS and not is_elided:
            return _Verb(1, (_word(first, "crosses"), first))
        return None

    def _move(self, at: int, subject: Token) -> _Verb | None:
        start = at
        at += self._token(at).text in {"is", "goes", "gets", "moves"}
        ways: list[Way] = []
        if self._token(at).text in RISES | FALLS:
            ways.append("up" if self._token(at).text in RISES else "down")
            at += 1
        at += self._token(at).text == "by"
        if self._token(at).kind in {"PLUS", "MINUS"} and self._token(at + 1).kind == "PERCENT":
            ways.append("up" if self._token(at).kind == "PLUS" else "down")
            at += 1
        percent = self._token(at)
        if percent.kind != "PERCENT":
            if ways and percent.kind in _NUMBERS:
                self._refuse_distance(self._token(at - 1), percent, subject)
            return None
        if len(set(ways)) > 1:
            return None
        return self._rest_of_move(start, ways[0] if ways else "", at, subject)

    def _rest_of_move(self, start: int, way: Way, at: int, subject: Token) -> _Verb | None:
        begin, percent, after = self._token(start), self._token(at), at + 1
        if self._token(after).text == "from" and self._token(after + 1).kind in _LEVELS:
            level = self._distant(percent, way, self._token(after + 1), subject)
            return _Verb(after + 2 - start, (_sign(begin, ">=" if way == "up" else "<="), level))
        if self._token(after).text in {"in", "within"}:
            after += 1
            after += self._token(after).text == "the"
            after += self._token(after).text in {"last", "past"}
        window = self._token(after)
        if window.kind not in _DURATIONS:
            if self._token(at + 1).kind in _ENDS:
                self._refuse_endless(percent, way, subject)
            return None
        verb = replace(begin, kind="MOVES", text="moves")
        direction = (_word(begin, way),) if way else ()
        inside = replace(window, kind="IN", text="in", end=window.at)
        tokens = (verb, *direction, percent, inside, window)
        typed = self.tokens[start : after + 1]
        is_canonical = [token.text for token in tokens] == [token.text for token in typed]
        return _Verb(len(typed), tokens, is_canonical)

    def _distant(self, percent: Token, way: Way, level: Token, subject: Token) -> Token:
        """Take a share off a number: 5% down from 98k is 93100."""
        if level.kind == "LEVEL" or not way or not isinstance(level.value, Decimal):
            reason = Phrase("A share can be taken only of a number, with + or - before it.")
            raise RuleError(self.text, percent.at, reason, show(f"{subject.text} -5% from 98k"))
        share = percent.value if isinstance(percent.value, Decimal) else Decimal(0)
        with localcontext() as context:
            context.prec = 80  # more than two numbers of the language have together, so nothing is rounded
            base = level.value if level.kind == "NUMBER" else level.value * 10**6
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

    def _is_level(self, at: int) -> bool:
        token = self._token(at)
        if token.kind == "MINUS":
            return self._token(at + 1).kind in _NUMBERS
        return token.kind in _LEVELS or token.kind in {"NAME", "LPAR"}

    def _token(self, at: int) -> Token:
        return self.tokens[at] if at < len(self.tokens) else _END


def _with_articles(tokens: Sequence[Token]) -> list[Token]:
    """Read *a day*, *an hour* as the durations they are."""
    out: list[Token] = []
    for token in tokens:
        if out and out[-1].text in {"a", "an"} and token.kind == "NAME" and token.text in ARTICLES:
            count, unit = ARTICLES[token.text]
            duration = Duration(count, unit)
            out[-1] = Token("DURATION", f"{out[-1].text} {token.text}", out[-1].at, token.end, duration)
        else:
            out.append(token)
    return out


def _sign(place: Token, op: Op) -> Token:
    return Token("CMP", op, place.at, place.end)


def _word(place: Token, word: str) -> Token:
    return Token(word.upper(), word, place.at, place.end)
