"""Hear a rule in what somebody says in plain words: *tell me when btc is above 100k, please*.

A tolerant front before the language: it drops what is only courtesy, turns words into those that the language
knows, and leaves the reading to it. It adds no digit and takes none away, so that a level is always one that
was said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from bot.rules.errors import RuleError
from bot.rules.filling import instruments
from bot.rules.phrases import Phrase
from bot.rules.reading import TYPED, parse, read
from bot.rules.scanner import Token, scan
from bot.rules.tree import Compare, Crosses, Op, Rule
from bot.rules.verbs import LEVELS

_ME = r"(?:me|us)"
_WHEN = r"(?:when(?:ever)?|if|once|as soon as|in case|that)"
_FRONTS = re.compile(
    r"(?:"
    r"hi|hello|hey|ok(?:ay)?|so|and|bot|tocsin|just"
    r"|please|pls|plz"
    r"|(?:can|could|would|will) you|i(?: would|'d|’d)? (?:want|like|need)(?: you)?(?: to(?: know)?)?"
    rf"|(?:tell|alert|notify|warn|ping|remind|message|text|inform|call|wake) {_ME}(?: up)?"
    rf"|let {_ME} know|give {_ME} a shout|ring|shout|an? alert|alert|alarm|notify|watch(?: for)?"
    rf"|{_WHEN}|the moment|is|has|does|did|will"
    r")(?=[\s,:!.]|$)[\s,:!.]*",
    re.IGNORECASE,
)
_TAILS = re.compile(
    r"[\s,]*(?:[?!.;…]+|(?<![\w@])(?:please|pls|plz|thanks|thank you|thx|ty|ok(?:ay)?|again|now|asap)|🙏)$",
    re.IGNORECASE,
)
_SIGNS = {"€": "eur", "£": "gbp", "₩": "krw", "₺": "try", "₹": "inr", "₽": "rub", "₴": "uah", "฿": "thb"}
"""Signs of currencies that are no dollars; they name the quote of the instrument."""

_ABROAD = re.compile(rf"([{''.join(_SIGNS)}])[ ]?(?=\d)|(?<=[\dkmb])[ ]?([{''.join(_SIGNS)}])", re.IGNORECASE)
_DOLLARS = re.compile(r"(?<=[\dkm])[ ]?(?:us)?(?:usd[tc]?|dollars?|bucks|\$)(?![\w/])", re.IGNORECASE)
_FIRST_NAME = re.compile(r"([a-z][a-z0-9]{1,11})(?![\w/(:.])", re.IGNORECASE)
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?<![\w@/]){before}(?![\w/(])", re.IGNORECASE), after)
    for before, after in (
        (r"(?:has |have |had |is |are |was |starts |keeps )?(?:fall(?:ing|en)|fell)", "falls"),
        (r"(?:has |have |had |is |are |was |starts |keeps )?dropp(?:ing|ed)", "drops"),
        (r"(?:has |have |had |is |are |was |starts |keeps )?(?:going|gone|went)", "goes"),
        (r"(?:has |have |had |is |are |was |starts |keeps )?(?:rising|risen|rose)", "rises"),
        (r"(?:has |have |had |is |are |was |starts |keeps )?(?:reach(?:ing|ed))", "reaches"),
        (r"(?:has |have |had |is |are |was |starts |keeps )?(?:break(?:ing)?|broke|broken)", "breaks"),
        (r"(?:has |have |had |is |are |was |starts |keeps )?(?:trad(?:ing|ed))", "trades"),
        (r"(?:has |have |had |is |are |was )?(?:hitting|hit)", "hits"),
        (r"(?:has |have |had |is |are |was )?(?:touching|touched|touch)", "touches"),
        (r"(?:pass(?:es|ed|ing)?|cross(?:ed|ing))", "crosses"),
        (r"(?:gets? )?(?:cheaper|smaller) than", "below"),
        (r"(?:gets? )?(?:dearer|bigger|pricier) than", "above"),
        (r"beneath|underneath|south of", "below"),
        (r"north of|past|beyond", "above"),
        (r"(?:anywhere |back )(above|over|below|under)", r"\1"),
    )
)
_TURNED_ROUND = re.compile(
    r"(?P<verb>above|over|below|under|at) (?P<level>[$@]?[\w.,]+(?: ?[kmb](?!\w))?)"
    r" (?:on |for )?(?P<name>[a-z][\w/.]*)",
    re.IGNORECASE,
)
_WORD = re.compile(r"@?[^\W\d_](?:[^\W\d]*[^\W\d_])?(?![\w@])")
_TALK = """
    i it its this that these those what which who whom how why where when there here you your we they he she
    me us a an the price value market coin coins token alert alerts buy sell long short stop yes no not
    nothing thanks hello help do does did can could would should will
"""
_NO_NAMES = frozenset(_TALK.split())
"""Words of talk, which are no instruments unless a quote is named with them."""

_WINDOWS = ("1h", "24h")
_MOST_MENDS = 3


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody may have meant: one rule, or several that are as likely.

    It ``is_mended`` where a word was taken for another that is like it. ``sides`` is true where the readings
    are the two sides of a level that was said without one: which is likelier only the price can tell.
    """

    rules: tuple[Rule, ...]
    is_mended: bool = False
    has_sides: bool = False


def hear(text: str) -> Heard | None:
    """Hear a rule in plain words, or nothing. Never raises."""
    if len(text) > TYPED:
        return None
    try:
        as_typed = _readings(text)
    except RuleError:
        as_typed = None
    if as_typed is not None:
        return as_typed
    said = plain_words(text)
    for mended in range(_MOST_MENDS + 1):
        try:
            found = _readings(said)
        except RuleError as error:
            better = _mended(said, error)
            if better is None:
                return _with_windows(said, bool(mended))
            said = better
        else:
            return replace(found, is_mended=mended > 0)
    return None


def plain_words(text: str) -> str:
    """Drop courtesy, and write what is left in the words of the language; every digit stays."""
    said = " ".join(text.split())
    while (front := _FRONTS.match(said)) and front.end() < len(said):
        said = said[front.end() :]
    while (tail := _TAILS.search(said)) and tail.start() > 0:
        said = said[: tail.start()]
    said = _abroad(said)
    said = _DOLLARS.sub("", said)
    for before, after in _WORDS:
        said = before.sub(after, said)
    if turned := _TURNED_ROUND.fullmatch(said):
        said = f"{turned['name']} {turned['verb']} {turned['level']}"
    return said


def _abroad(said: str) -> str:
    """Let the sign of a currency name the quote of the instrument that comes first."""
    found = {_SIGNS[sign] for pair in _ABROAD.findall(said) for sign in pair if sign}
    first = _FIRST_NAME.match(said)
    if len(found) != 1 or first is None:
        return said
    return f"{first[1]}/{found.pop()}{_ABROAD.sub('', said[first.end() :])}"


def _readings(said: str) -> Heard:
    """Read it; raises RuleError, also where a word of talk would be an instrument."""
    reading = read(said)
    if any(one.base in _NO_NAMES and not one.quote for one in instruments(reading.rule)):
        raise RuleError(said, 0, Phrase("There is no rule here."))
    if reading.other is not None:
        return Heard((reading.rule, reading.other))
    match reading.rule.condition:
        case Crosses(value=value, side="", level=level) if _is_bare(scan(said)):
            ops: tuple[Op, Op] = ("<", ">")
            sides = (parse(str(Rule(Compare(value, op, level), reading.rule.options))) for op in ops)
            return Heard(tuple(sides), has_sides=True)
    return Heard((reading.rule,))


def _is_bare(tokens: list[Token]) -> bool:
    """Ask whether a level stands right behind a name, without a word of where the price comes from."""
    return len(tokens) > 1 and tokens[0].kind == "NAME" and tokens[1].kind in LEVELS


def misspelt(error: RuleError) -> tuple[str, str] | None:
    """Give the word that the language does not know and the one that it suggests for it, if both are words.

    Nothing with a digit is one: a number is never taken for another.
    """
    match error.hint:
        case Phrase(template="Did you mean {suggestion}?", arguments={"suggestion": str(better)}):
            word = _WORD.match(error.text, error.column)
            if word is not None and _WORD.fullmatch(better):
                return word[0], better
    return None


def put_right(said: str, word: str, better: str) -> str:
    """Write a word of what was said as it was meant, wherever it stands by itself."""
    found = re.compile(rf"(?<![\w@/.]){re.escape(word)}(?![\w])", re.IGNORECASE)
    return found.sub(lambda _: better, said)


def _mended(said: str, error: RuleError) -> str | None:
    if error.text != said or (pair := misspelt(error)) is None:
        return None
    word, better = pair
    return said[: error.column] + better + said[error.column + len(word) :]


def _with_windows(said: str, is_mended: bool) -> Heard | None:
    """Hear a move whose time was left out in the times that are usual."""
    try:
        rules = tuple(read(f"{said} in {window}").rule for window in _WINDOWS)
    except RuleError:
        return None
    return Heard(rules, is_mended) if len(set(rules)) > 1 else None
