"""What people also type, rewritten into what the grammar reads.

A pass over tokens before the grammar. It looks only at the head of a clause and the tokens behind it, so a
bare *and* never splits anything, and what it does not know it leaves to the grammar.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from bot.rules.errors import RuleError, suggest
from bot.rules.functions import FUNCTIONS
from bot.rules.idioms import ENDS, Found, Idioms
from bot.rules.phrases import Phrase
from bot.rules.reordering import in_order
from bot.rules.scanner import Token
from bot.rules.tree import TURNED, Duration, Instrument
from bot.rules.verbs import LEVELS, VERBS, Verb, Verbs
from bot.rules.words import ARTICLES, COMPARISONS, COUNTS, DURATIONS, NICKNAMES, QUOTES

__all__ = ["VERBS", "sweeten"]

_HEADS = frozenset(["AND", "OR", "NOT", "LPAR", "COMMA"])
_BEFORE_LEVELS = frozenset(["CMP", "CROSSES", "ABOVE", "BELOW"])
_SIGNS = frozenset(["PLUS", "MINUS", "STAR", "SLASH"])
_NAMED = frozenset(["metric", "treasury"])
"""Functions whose argument is a name as it stands."""

LONGEST_SUBJECT = 24
"""Most tokens of a subject that may be left out in later clauses, so that a line cannot grow without end."""

_MONEY = frozenset(["dollar", "dollars", "bucks"])


def sweeten(text: str, tokens: Sequence[Token]) -> tuple[list[Token], bool]:
    """Rewrite tokens into canonical ones; say too whether words changed that carry meaning.

    *above* for ``>`` is only spelling; *breaks* for ``crosses`` is an interpretation that people should see.
    Raises RuleError where a word is known and what it needs is missing.
    """
    plain = list(_plain(in_order(text, tokens)))
    is_renamed = _nicknames(tokens) > _nicknames(plain)
    out, is_sugared = _Pass(text, plain).run()
    return out, is_sugared or is_renamed


class _Pass:
    """One pass from left to right; ``out`` is what the grammar will read.

    ``owner`` is the instrument that the clauses are about, ``subject`` the tokens of the value that a verb
    follows; ``bound`` is what was read last, if it was the subject, a comparison and a level.
    """

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.idioms = Idioms(text, tokens)
        self.verbs = Verbs(text, tokens, self.idioms)
        self.closing = _closing(tokens)
        self.out: list[Token] = []
        self.owner: Token | None = None
        self.subject: list[Token] = []
        self.is_sugared = False

    def run(self) -> tuple[list[Token], bool]:
        at = self._prefix()
        while at < len(self.tokens):
            kind = self.out[-1].kind if self.out else "AND"
            if kind in _HEADS or (kind == "COLON" and len(self.out) == 2):
                at = self._head(at)
            elif kind in _BEFORE_LEVELS and (level := self.verbs.level(at, self.owner)):
                at += self._put_found(level)
            else:
                at = self._copy(at)
        return self.out, self.is_sugared

    def _prefix(self) -> int:
        """Read ``btc:`` in front of a phrase as ``btc``; before the grammar's own conditions it stays."""
        first, second = self._token(0), self._token(1)
        if first.kind != "NAME" or second.kind != "COLON":
            return self.idioms.spelling(0)
        self.owner = first
        at = 2 + self.idioms.spelling(2)
        self.subject = [first]
        if self.idioms.noun(at, first, is_adjacent=self._token(at + 1).kind != "LPAR") or self.verbs.find(
            at, first, first
        ):
            self.is_sugared = True
            return self._named(first, at)
        self.out += [first, second]
        return at

    def _head(self, at: int) -> int:
        """Read what may stand at the head of a clause; give the place behind it."""
        if 0 < len(self.subject) <= LONGEST_SUBJECT and self.out and (verb := self._elided(at)):
            return at + self._put_elided(at, verb)
        if clause := self.idioms.clause(at, self.owner):
            self.owner = clause.subject or self.owner
            self.subject = [self.owner] if self.owner else []
            return at + self._put_found(clause)
        if noun := self.idioms.noun(at, self.owner):
            self.owner = noun.subject or self.owner
            return self._valued(noun, at + noun.length)
        token = self._token(at)
        if token.kind == "NAME" and self._token(at + 1).kind != "LPAR":
            self.owner = token
            return self._named(token, at + 1)
        begin = len(self.out)
        at = self._copy(at)
        if token.kind == "NAME":
            return self._followed(begin, at)
        return at

    def _elided(self, at: int) -> Verb | None:
        return self.verbs.find(at, self.owner or self.subject[0], self.owner, is_elided=True)

    def _named(self, name: Token, at: int) -> int:
        """Read what follows a bare name: a phrase for a value of it, or a verb."""
        begin = len(self.out)
        if self._is_function(at):
            self.is_sugared = True
            return self._followed(begin, self._copy_call(name, at))
        noun = self.idioms.noun(at, name, is_adjacent=True)
        if noun and not self._is_level_alone(noun, at):
            return self._valued(noun, at + noun.length)
        self.out.append(name)
        return self._followed(begin, at)

    def _is_level_alone(self, noun: Found, at: int) -> bool:
        return noun.role in {"level", "extreme"} and self._token(at + noun.length).kind in ENDS

    def _valued(self, noun: Found, at: int) -> int:
        begin = len(self.out)
        self._put_found(noun)
        return self._followed(begin, at)

    def _followed(self, begin: int, at: int) -> int:
        """Read the arithmetic and the verb behind a value that begins at a place of ``out``."""
        while self._token(at).kind in _SIGNS and self._is_factor(at):
            at = self._copy(self._copy(at))
        self.subject = self.out[begin:]
        name = self.subject[0]
        if len(self.subject) > 1:
            name = replace(name, text=" ".join(token.text for token in self.subject))
        if verb := self.verbs.find(at, name, self.owner):
            return at + self._put(verb)
        return at

    def _is_factor(self, at: int) -> bool:
        """Whether a sign joins a value to the one before it, so that both are the subject."""
        sign, after = self._token(at), self._token(at + 1)
        if (
            sign.kind == "MINUS"
            and after.kind == "NAME"
            and after.text in QUOTES
            and sign.at == self._token(at - 1).end
        ):
            pair = suggest(f"{self._token(at - 1).text}/{after.text}")
            raise RuleError(
                self.text, sign.at, Phrase('"{word}" does not fit here.', {"word": sign.text}), pair
            )
        if after.kind == "NAME":
            return True
        return after.kind in LEVELS and self._token(at + 2).kind not in ENDS | {"RANGE"}

    def _put_found(self, found: Found) -> int:
        self.out += found.tokens
        self.is_sugared = True
        return found.length

    def _put(self, verb: Verb) -> int:
        if verb.before:
            self.out[len(self.out) - len(self.subject) :] = [*verb.before, *self.subject]
        self.out += verb.tokens
        self.is_sugared = self.is_sugared or not verb.is_plain
        return verb.length

    def _put_elided(self, at: int, verb: Verb) -> int:
        """Repeat the subject that was left out; two ends joined by *and* become one interval."""
        self.is_sugared = True
        level = self._token(at + verb.length)
        if self._is_interval(verb, level, self._token(at + verb.length + 1)):
            _, first, bound, _ = self.out[-4:]
            del self.out[-4:]
            subject = self.subject[0]
            low, high = (bound, first), (level, verb.tokens[0])
            if first.text[0] == "<":
                low, high = high, low
            self.out += [low[0], _turned(low[1]), subject, high[1], high[0]]
            return verb.length + 1
        place = verb.tokens[0]
        self.subject = [replace(token, at=place.at, end=place.end) for token in self.subject]
        self.out += [*verb.before, *self.subject, *verb.tokens]
        return verb.length

    def _is_interval(self, verb: Verb, level: Token, after: Token) -> bool:
        """Whether what stands last is ``subject > bound and``, and the other end comes next."""
        before = self.out[-5].kind if len(self.out) > 4 else ""
        match self.out[-4:], verb.tokens, self.subject:
            case (
                [thing, Token(kind="CMP") as first, bound, Token(kind="AND")],
                [Token(kind="CMP") as second],
                [subject],
            ):
                is_simple = bound.kind in LEVELS and level.kind in LEVELS and after.kind not in _SIGNS
                return thing is subject and before != "NOT" and is_simple and first.text[0] != second.text[0]
        return False

    # --- copying ---

    def _copy(self, at: int) -> int:
        """Copy a token, and with the name of a function all its arguments."""
        end = at + 1
        if self._token(at).kind == "NAME" and self._token(at + 1).kind == "LPAR":
            end = self.closing.get(at + 1, at + 1) + 1
        self.out += self.tokens[at:end]
        return end

    def _copy_call(self, owner: Token, at: int) -> int:
        """Copy a function whose instrument stands before it: ``btc rsi(14, 4h)``."""
        end = self.closing.get(at + 1, at + 1) + 1
        name, bracket, *rest = self.tokens[at:end]
        comma = [] if rest and rest[0].kind == "RPAR" else [Token("COMMA", ",", owner.at, owner.end)]
        self.out += [name, bracket, owner, *comma, *rest]
        return end

    def _is_function(self, at: int) -> bool:
        """Whether a function stands there whole, and not a phrase: ``rsi(14, 4h)``, but ``rsi(14) on 4h``."""
        function = FUNCTIONS.get(self._token(at).text)
        if function is None or at + 1 not in self.closing or not function.parameters:
            return False
        if self._token(self.closing[at + 1] + 1).kind in {"DURATION", "MINUTES"}:
            return False
        return function.parameters[0].kind in {"instrument", "value", "coin"}

    def _token(self, at: int) -> Token:
        return self.verbs.token(at)


def _nicknames(tokens: Sequence[Token]) -> int:
    return sum(token.text in NICKNAMES for token in tokens)


def _closing(tokens: Sequence[Token]) -> dict[int, int]:
    """Find the bracket that closes each bracket."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for at, token in enumerate(tokens):
        if token.kind == "LPAR":
            opened.append(at)
        elif token.kind == "RPAR" and opened:
            closing[opened.pop()] = at
    return closing


def _plain(tokens: Sequence[Token]) -> Iterator[Token]:
    """Read small words in their plain form: *an hour*, *three days*, *52-week*, *bitcoin*, *1000 dollars*."""
    at = 0
    while at < len(tokens):
        row = tokens[at : at + 3]
        token = _duration(row)
        if token is not None:
            at += 3 if len(row) > 2 and row[1].kind == "MINUS" else 2
        else:
            token = row[0]
            at += 1
            is_name = token.kind == "NAME" and token.value == Instrument(token.text)
            is_argument = at > 2 and tokens[at - 2].kind == "LPAR" and tokens[at - 3].text in _NAMED
            if is_name and token.text in NICKNAMES and not is_argument:
                token = replace(token, text=NICKNAMES[token.text], value=Instrument(NICKNAMES[token.text]))
            if token.text in _MONEY and at > 1 and tokens[at - 2].kind == "NUMBER":
                continue
        yield token


def _duration(row: Sequence[Token]) -> Token | None:
    """Read a duration of several tokens."""
    match row:
        case [
            Token(text="a" | "an" | "last" | "past") as article,
            Token(kind="NAME", text=word) as noun,
            *_,
        ] if word in ARTICLES:
            return _lasting(article, noun, Duration(*ARTICLES[word]))
        case [Token(kind="NAME", text=count) as first, Token(kind="NAME", text=word) as noun, *_] if (
            count in COUNTS and word in DURATIONS
        ):
            return _lasting(first, noun, Duration(COUNTS[count], DURATIONS[word]))
        case [
            Token(kind="NUMBER", value=Decimal() as number) as first,
            Token(kind="MINUS") as dash,
            Token(kind="NAME", text=word) as noun,
        ] if word in DURATIONS and first.end == dash.at and dash.end == noun.at and not number % 1:
            return _lasting(first, noun, Duration(int(number), DURATIONS[word]))
    return None


def _lasting(first: Token, last: Token, duration: Duration) -> Token:
    return Token("DURATION", f"{first.text} {last.text}", first.at, last.end, duration)


def _turned(sign: Token) -> Token:
    return replace(sign, text=TURNED[COMPARISONS[sign.text]])
