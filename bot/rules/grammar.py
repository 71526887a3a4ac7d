"""The grammar, under LALR without conflicts; its tokens come from the scanner by way of the sugar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from lark import Lark
from lark import Token as Leaf
from lark.common import LexerConf
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer
from lark.tree import Tree

from bot.rules.scanner import Token

GRAMMAR = r"""
start: [NAME COLON] condition option*

?condition: conjunction
    | conjunction (OR conjunction)+              -> any
?conjunction: negation
    | negation (AND negation)+                   -> all
?negation: held
    | NOT negation                               -> negated
?held: atom
    | held FOR (duration | NUMBER SESSIONS)      -> held
?atom: LPAR condition RPAR                       -> bracketed
    | sum CMP sum                                -> compared
    | sum CMP sum CMP sum                        -> chained
    | sum CROSSES [ABOVE | BELOW] sum            -> crossed
    | sum (ENTERS | LEAVES) sum RANGE sum        -> entered
    | sum MOVES [UP | DOWN] PERCENT IN duration  -> moved
    | sum EVERY step [UP | DOWN]                 -> stepped
    | NUMBER OF LPAR condition (COMMA condition)+ RPAR -> counted

?sum: product
    | sum (PLUS | MINUS) product                 -> joined
?product: sign
    | product (STAR | SLASH) sign                -> joined
?sign: term
    | MINUS sign                                 -> negative
?term: LPAR sum RPAR                             -> grouped
    | (NUMBER | MINUTES | MONTHS | PERCENT | LEVEL | NAME) -> literal
    | NAME LPAR [argument (COMMA argument)*] RPAR -> call
?argument: sum
    | (DURATION | ALL)                           -> literal
?duration: DURATION | MINUTES | MONTHS
?step: PERCENT | NUMBER | MINUTES | MONTHS

option: ONCE | REPEAT | COOLDOWN duration | REARM step | REMIND duration | UNTIL (DATE | duration)
    | RESOLVE | URGENT | PROVISIONAL | NOTE STRING

%declare OR AND NOT FOR SESSIONS LPAR RPAR COMMA COLON CMP CROSSES ABOVE BELOW ENTERS LEAVES RANGE
%declare MOVES UP DOWN IN EVERY OF PLUS MINUS STAR SLASH ALL
%declare NUMBER MINUTES MONTHS PERCENT LEVEL NAME DURATION
%declare ONCE REPEAT COOLDOWN REARM REMIND UNTIL RESOLVE URGENT PROVISIONAL DATE NOTE STRING
"""

Branch = Tree[Leaf]


class Unexpected(Exception):
    """A token that cannot stand where it stands: its index (past the last at the end), and what could."""

    def __init__(self, index: int, expected: frozenset[str]) -> None:
        super().__init__(index)
        self.index = index
        self.expected = expected


def read_tree(tokens: Sequence[Token]) -> Branch:
    """Parse canonical tokens; a leaf's value is its token. Raises Unexpected where one does not fit."""
    try:
        return _parser().parse(tokens)
    except UnexpectedToken as error:
        place = error.token.value
        index = next((at for at, token in enumerate(tokens) if token is place), len(tokens))
        raise Unexpected(index, frozenset(error.accepts)) from None


def ends_open(branch: Branch) -> bool:
    """Whether a line of several conditions ends with a ``for`` that no brackets bind to the last of them."""
    condition = branches(branch)[0]
    return condition.data in {"all", "any"} and branches(condition)[-1].data == "held"


def branches(branch: Branch) -> list[Branch]:
    """Give the branches right below one."""
    return [child for child in branch.children if not isinstance(child, str)]


def leaves(branch: Branch) -> list[Token]:
    """Give the tokens right below a branch."""
    return [child.value for child in branch.children if isinstance(child, str)]


def first(branch: Branch) -> Token:
    """Give the token that a branch begins with."""
    while True:
        child = branch.children[0]
        if isinstance(child, str):
            token: Token = child.value
            return token
        branch = child


def walk(branch: Branch, is_entered: Callable[[Branch], bool] = lambda _: True) -> Iterator[Branch]:
    """Give a branch and those below it in the order of the text; some need not be entered.

    Without recursion, for brackets may be nested as deep as the line is long.
    """
    waiting = [branch]
    while waiting:
        current = waiting.pop()
        yield current
        if is_entered(current):
            waiting += reversed(branches(current))


def typed(branch: Branch) -> str:
    """Write a branch again as it was typed, with ordinary spaces."""
    words: list[str] = []
    waiting: list[tuple[Branch | Leaf, str]] = [(branch, "")]
    while waiting:
        current, within = waiting.pop()
        if not isinstance(current, str):
            waiting += [(child, current.data) for child in reversed(current.children)]
        elif current.type == "COMMA":
            words.append(", ")
        else:
            word = current.value.text
            words.append(f" {word} " if within == "joined" else word)
    return "".join(words)


class _Tokens(Lexer):
    """Hand the scanner's tokens to the parser."""

    def __init__(self, conf: LexerConf) -> None:
        pass

    def lex(self, tokens: Any) -> Iterator[Leaf]:  # type: ignore[override]  # lark's own form for custom lexers
        for token in tokens:
            yield Leaf(token.kind, token)


@cache
def _parser() -> Lark:
    """Make the parser, in a tenth of a second; strict, so that a conflict in the grammar stops it."""
    return Lark(GRAMMAR, parser="lalr", lexer=_Tokens, strict=True, maybe_placeholders=False)
