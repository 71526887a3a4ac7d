"""The grammar, under LALR without conflicts; its tokens come from the scanner by way of the sugar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
start: condition option*

?condition: conjunction
    | conjunction (OR conjunction)+              -> any
?conjunction: negation
    | negation (AND negation)+                   -> all
?negation: held
    | NOT negation                               -> negated
?held: atom
    | held FOR duration                          -> held
?atom: LPAR condition RPAR                       -> bracketed
    | value CMP value                            -> compared
    | value CMP value CMP value                  -> chained
    | value CROSSES [ABOVE | BELOW] value        -> crossed
    | value MOVES [UP | DOWN] PERCENT IN duration -> moved

value: [MINUS] (NUMBER | MINUTES | MONTHS | PERCENT | LEVEL | NAME)
?duration: DURATION | MINUTES | MONTHS

option: ONCE | REPEAT | COOLDOWN duration | UNTIL (DATE | duration) | NOTE STRING

%declare OR AND NOT FOR LPAR RPAR CMP CROSSES ABOVE BELOW MOVES UP DOWN IN
%declare MINUS NUMBER MINUTES MONTHS PERCENT LEVEL NAME DURATION
%declare ONCE REPEAT COOLDOWN UNTIL DATE NOTE STRING
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
    condition = branch.children[0]
    if isinstance(condition, str) or condition.data not in {"all", "any"}:
        return False
    last = condition.children[-1]
    return not isinstance(last, str) and last.data == "held"


class _Tokens(Lexer):
    """Hand the scanner's tokens to the parser."""

    def __init__(self, conf: LexerConf) -> None:
        pass

    def lex(self, tokens: Any) -> Iterator[Leaf]:  # type: ignore[override]  # lark's own form for custom lexers
        for token in tokens:
            yield Leaf(token.kind, token)


@cache
def _parser() -> Lark:
    """Build the parser; strict, so that a conflict in the grammar stops it."""
    return Lark(GRAMMAR, parser="lalr", lexer=_Tokens, strict=True, maybe_placeholders=False)
