"""What the bot says: find every message in the sources, and bring the catalogues up to date with them.

``python -m tests.messages`` writes the catalogues anew: what is new stands there without a translation, what
is said no more is gone. With a tag behind it (``python -m tests.messages pt-BR``) it begins a catalogue.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from string import Formatter

from babel.core import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from bot.alerts.bounds import Thing, Whose
from bot.alerts.people import Policy

BOT = Path(__file__).parent.parent / "bot"
LOCALES = BOT / "locales"

MESSAGES = {
    "tr": (0,),
    "there": (0,),
    "self": (0,),
    "to_say": (0,),
    "Phrase": (0,),
    "PlaybookError": (0,),
    "NoBelongings": (0,),
    "Command": (1,),
    "Option": (1,),
}
"""What says something to people, and which of its arguments are messages."""

WORDS = ("Command", "Option")
"""What stands in menus under a name that is typed: its first argument, and what it is ``replace``d with."""

CONTEXT = "word"
"""The context of such a name in a catalogue, which tells it from a message that says the same."""

KINDS = {"Thing": Thing, "Whose": Whose, "Policy": Policy}
"""What is listed elsewhere and chosen from."""

PLURALS = ("many",)
"""What says one of two things by a count: its first two arguments."""

NAMED = ("summary", "note", "hint")
"""Arguments that are messages wherever they are given by name."""

WIDTH = 110

UNKEPT = tuple(
    f'"{field}'.encode()
    for field in (
        "Project-Id",
        "Report-Msgid",
        "POT-Creation",
        "PO-Revision",
        "Last-Translator",
        "Language-Team",
        "Generated-By",
    )
)
"""Fields of a catalogue's head that say nothing, or something else at each run."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the sources: its id, that of several where it depends on a count, and its places."""

    one: str
    several: str
    file: str
    line: int
    context: str | None = None

    @property
    def key(self) -> tuple[str | None, str | tuple[str, str]]:
        """What catalogues tell the message from others by."""
        return self.context, self.id

    @property
    def id(self) -> str | tuple[str, str]:
        """The message as catalogues name it."""
        return (self.one, self.several) if self.several else self.one


def messages() -> list[Message]:
    """Find every message of the sources, in the order of files and lines."""
    said = [one for path in sorted(BOT.rglob("*.py")) for one in _messages_of(path)]
    for path in sorted((BOT / "playbooks").glob("*.toml")):
        title = tomllib.loads(path.read_text(encoding="utf-8"))["title"]
        said.append(Message(title, "", path.relative_to(BOT.parent).as_posix(), 1))
    return said


def catalogue_of(tag: str) -> Catalog:
    """Read the catalogue of a language."""
    with (LOCALES / f"{tag}.po").open("rb") as file:
        return read_po(file, locale=Locale.parse(tag, sep="-"))


def tags() -> list[str]:
    """Name the languages that have a catalogue."""
    return sorted(path.stem for path in LOCALES.glob("*.po"))


def fields(template: str) -> list[str]:
    """Name what is filled into a template, sorted."""
    return sorted(name for _, name, _, _ in Formatter().parse(template) if name is not None)


def template() -> Catalog:
    """Gather the messages of the sources in a catalogue without translations."""
    gathered = Catalog()
    for one in messages():
        flags = ["python-brace-format"] if fields(one.one) or fields(one.several) else []
        gathered.add(one.id, locations=[(one.file, 0)], flags=flags, context=one.context)
    return gathered


def update(tag: str) -> None:
    """Bring a catalogue up to date, or begin it; what is said no more goes."""
    locale = Locale.parse(tag, sep="-")
    path = LOCALES / f"{tag}.po"
    if path.exists():
        kept = catalogue_of(tag)
    else:
        kept = Catalog(locale=locale, fuzzy=False, header_comment=f"# {locale.get_display_name()}\n#")
    kept.update(template(), no_fuzzy_matching=True)
    kept.obsolete.clear()
    written = BytesIO()
    write_po(written, kept, width=WIDTH, include_lineno=False)
    lines = written.getvalue().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(UNKEPT)))


def _messages_of(path: Path) -> Iterator[Message]:
    place = path.relative_to(BOT.parent).as_posix()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                pass
            case _:
                continue
        line = node.lineno
        if name in PLURALS and len(node.args) > 1:
            one, several = (_texts(argument, place) for argument in node.args[:2])
            if one and several:
                yield Message(one[0], several[0], place, line)
        if path.parent.name == "commands":  # the command line has options of its own
            yield from (Message(word, "", place, line, CONTEXT) for word in _words(name, node))
        for at in MESSAGES.get(name, ()):
            if at < len(node.args):
                yield from (Message(text, "", place, line) for text in _texts(node.args[at], place))
        for keyword in node.keywords:
            if keyword.arg in NAMED and isinstance(keyword.value, ast.Constant):
                yield from (Message(text, "", place, line) for text in _texts(keyword.value, place))


def _words(name: str, node: ast.Call) -> Iterator[str]:
    """Find the names of commands and options, and the choices of options, in a call."""
    if name in WORDS and node.args and isinstance(node.args[0], ast.Constant):
        yield str(node.args[0].value)
    for keyword in node.keywords:
        match keyword.arg, keyword.value:
            case "name", ast.Constant(value=str(text)) if name == "replace":
                yield text
            case "choices", ast.Tuple(elts=words):
                yield from (str(one.value) for one in words if isinstance(one, ast.Constant))
            case "choices", ast.Call(args=[ast.Name(id=kind)]):
                yield from (str(one) for one in KINDS[kind])


def _texts(node: ast.expr, place: str) -> list[str]:
    """Read the texts that an argument may be; what is neither a text nor a name cannot be translated."""
    match node:
        case ast.Constant(value=str(text)):
            return [text] if text else []
        case ast.IfExp(body=body, orelse=orelse):
            return [*_texts(body, place), *_texts(orelse, place)]
        case ast.JoinedStr() | ast.BinOp():
            raise ValueError(f"{place}:{node.lineno}: put the pieces into the template as fields")
        case _:
            return []


def main() -> None:
    """Update all catalogues, or begin the one that is named."""
    for tag in sys.argv[1:] or tags():
        update(tag)
        lacking = sum(1 for one in catalogue_of(tag) if one.id and not one.string)
        sys.stdout.write(f"{tag}: {lacking} messages have no translation yet.\n")


if __name__ == "__main__":
    main()
