"""The command line: start the bot, watch the demo, read a rule, look after the database.

Answers go to stdout, everything else to stderr. A refusal is one sentence; the exit code is 2 for what the
caller can put right in the command or the configuration, and 1 for what went wrong in the world. Rooms are
imported inside the commands, so that help and version answer at once.
"""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Coroutine
from dataclasses import fields
from datetime import date
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO, TypeVar

import typer

if TYPE_CHECKING:
    from bot.logs import Redaction
    from bot.rules import RuleError
    from bot.settings import Settings
    from bot.store import Condition

T = TypeVar("T")

app = typer.Typer(
    help="Tocsin rings in Telegram and Discord when a market does what you wrote in one line.",
    epilog="Settings are environment variables, .env or files in secrets/; .env.example names them all.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they would show the values of variables
    context_settings={"help_option_names": ["-h", "--help"]},
)
database = typer.Typer(no_args_is_help=True)
app.add_typer(database, name="db", help="Look after the database.")

Json = Annotated[bool, typer.Option("--json", help="Write one JSON object a line, for programs.")]


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"tocsin {version('tocsin')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Say which version this is."),
    ] = False,
) -> None:
    """Take what stands before the command."""


@app.command()
def run() -> None:
    """Start the bot with what is configured.

    Without a token it talks on this terminal.
    """
    settings = _settings()
    from bot.app import run as start

    is_spoken_here = settings.telegram_token is None and settings.discord_token is None
    _finish(start(settings), _log("WARNING" if is_spoken_here else "INFO", settings))


@app.command()
def demo(json: Json = False) -> None:
    """Play November 2025 in under a minute.

    Alerts are written, answered and ring. Needs no token and no network.
    """
    from bot.demo import play

    raise typer.Exit(_finish(play(json, sys.stdout), _log("WARNING")))


@app.command()
def check(
    rule: Annotated[
        list[str], typer.Argument(metavar="RULE", help="A rule as in chat; - reads one a line from stdin.")
    ],
    json: Json = False,
) -> None:
    """Say what a rule means, or where it is wrong.

    Nothing is armed, and nothing is asked of the network.
    """
    from bot.rules import RuleError, english, explain, read

    if rule == ["-"]:
        if not json:
            _refuse("check - answers in JSON: write check - --json.")
        quote = _settings().quote
        # Bytes are split at \n alone; text would be split wherever Unicode sees the end of a line.
        for line in sys.stdin.buffer:
            print_json(_reading(line.decode("utf-8", "replace").removesuffix("\n"), quote), sys.stdout)
        return
    text = " ".join(rule)
    if json:
        answer = _reading(text, _settings().quote)
        print_json(answer, sys.stdout)
        raise typer.Exit(0 if answer["ok"] else 2)
    try:
        parsed = read(text).rule
    except RuleError as error:
        _refuse(_drawn(error))
    typer.echo(f"{parsed}\n{english(explain(parsed))}.")


@app.command()
def backtest(
    rule: Annotated[list[str], typer.Argument(metavar="RULE", help="A rule as in chat.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=FILE.csv",
            help="History of what the rule reads: candles, or values of a metric. Else exchanges are asked.",
        ),
    ] = None,
    since: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Where to begin: 2025-11-10, 2025-11-10T12:00Z.")
    ] = "",
    until: Annotated[
        str, typer.Option("--to", metavar="TIME", help="Where to end; a day is taken in whole.")
    ] = "",
    json: Json = False,
) -> None:
    """Say when a rule would have rung.

    A line for each ring, from files of history or from the exchange.
    """
    from bot.backtest import run
    from bot.engine.past import Unfit
    from bot.feeds.files import BadFile, read_history
    from bot.rules import RuleError, fill, name_stocks, qualify, read

    settings = _settings()
    first, last = _instant("--from", since), _instant("--to", until, is_end=True)
    try:
        stocks = {one[1 : one.index("=")] for one in data or () if one.startswith("$") and "=" in one}
        written = name_stocks(read(" ".join(rule)).rule, stocks)
        armed = qualify(fill(written, {}), settings.quote)
        if data:
            past = read_history(data, settings.quote)
        else:
            from bot.app import fetch_history

            past, first = _finish(fetch_history(settings, armed, first, last), _log("WARNING", settings))
        report = run(armed, past, first, last, canonical=str(written))
    except RuleError as error:
        if json:
            print_json(_mistake(error), sys.stdout)
        _refuse(_drawn(error))
    except (BadFile, Unfit) as error:
        if json:
            print_json({"ok": False, "error": str(error)}, sys.stdout)
        _refuse(str(error))
    found = report.facts()
    if json:
        print_json({"ok": True, **found}, sys.stdout)
        return
    for firing in found["firings"]:
        typer.echo("  ".join(firing[name] for name in ("at", "kind", "rule", "because")))
    told, unknown = len(report.firings), report.unknown
    typer.echo(
        f"{told} in all; {unknown:,} of {(report.until - report.since) // 60:,} minutes are unknown.",
        err=True,
    )
    if report.why:
        typer.echo(f"Nothing could be judged: {report.why}.", err=True)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy is to stand: a new file.")],
) -> None:
    """Copy the database into a file.

    The bot may go on meanwhile. Keep the copy as you keep the tokens: it holds what people wrote.
    """
    settings = _settings()
    from bot.store import back_up

    condition = _finish(back_up(settings.database_url, file), _log("WARNING", settings))
    typer.echo(f"The database is copied to {file}, at revision {condition.revision}.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy that tocsin backup made.")],
) -> None:
    """Put a copy in the place of the database.

    The bot must be stopped. What was there is kept beside it, as .before-restore.
    """
    settings = _settings()
    from bot.store import restore as put_back

    condition = _finish(put_back(settings.database_url, file), _log("WARNING", settings))
    typer.echo(f"The database is what {file} holds, at revision {condition.revision}.")


@database.command("upgrade")
def upgrade_database() -> None:
    """Bring the database to this version's tables.

    run does it too.
    """
    settings = _settings()
    from bot.store import claim, upgrade

    async def work() -> Condition:
        with claim(settings.database_url, "an upgrade"):
            return await upgrade(settings.database_url)

    condition = _finish(work(), _log("WARNING", settings))
    typer.echo(f"The database is up to date, at revision {condition.revision}.")


@database.command("check")
def check_database(json: Json = False) -> None:
    """Say whether the database is well.

    It is when it is whole and has this version's tables. Changes nothing.
    """
    settings = _settings()
    from bot.store import check as examine

    condition = _finish(examine(settings.database_url), _log("WARNING", settings))
    if json:
        faults = list(condition.faults)
        found = {
            "ok": condition.is_well,
            "revision": condition.revision,
            "head": condition.head,
            "faults": faults,
        }
        print_json(found, sys.stdout)
        raise typer.Exit(0 if condition.is_well else 1)
    for fault in condition.faults:
        typer.echo(fault, err=True)
    if not condition.is_current:
        was = f"is at revision {condition.revision}" if condition.revision else "has no tables"
        typer.echo(f"The database {was}, not at {condition.head}: run tocsin db upgrade.", err=True)
    if not condition.is_well:
        raise typer.Exit(1)
    typer.echo(f"The database is well, at revision {condition.revision}.")


def print_json(answer: dict[str, Any], out: TextIO) -> None:
    """Write one object on one line of ASCII, at once: whoever asks line by line waits for it."""
    out.write(json_format.dumps(answer, ensure_ascii=True) + "\n")
    out.flush()


def _reading(text: str, quote: str) -> dict[str, Any]:
    """Read one rule for a program; ``quote`` is the currency of prices where none is named."""
    from bot.metrics import MetricKey
    from bot.rules import RuleError, english, explain, instruments, metrics, qualify, read

    try:
        rule = read(text).rule
        named = qualify(rule, quote)
    except RuleError as error:
        return _mistake(error)
    inputs = [str(MetricKey("price", one.symbol, one.venue)) for one in instruments(named)]
    inputs += [str(metric) for metric in metrics(named)]
    given = {field.name: _plain(getattr(rule.options, field.name)) for field in fields(rule.options)}
    return {
        "ok": True,
        "canonical": str(rule),
        "explain": english(explain(rule)),
        "inputs": inputs,
        "options": {name: value for name, value in given.items() if value},
    }


def _plain(option: object) -> str | int | float | bool | None:
    """Write an option for a program: what JSON has no value for (``1h``, ``0.5%``) is its canonical text."""
    from bot.rules import Number

    match option:
        case None | bool():
            return option
        case Number(value=number):
            return float(number) if number % 1 else int(number)
        case date():
            return option.isoformat()
        case _:
            return str(option)


def _mistake(error: RuleError) -> dict[str, Any]:
    """Say for a program what is wrong with a rule."""
    from bot.rules import english

    hint = english(error.hint) if error.hint else None
    return {"ok": False, "error": english(error.reason), "column": error.column, "hint": hint}


def _drawn(error: RuleError) -> str:
    """Draw a mistake in a rule with its caret, and say what it is."""
    from bot.rules import english, picture

    said = (error.reason, error.hint) if error.hint else (error.reason,)
    return f"{picture(error)}\n{' '.join(map(english, said))}"


def _instant(option: str, text: str, is_end: bool = False) -> int | None:
    """Read the time of an option, down to the minute; a day that ends something is taken in whole."""
    from bot.feeds.files import read_time

    if not text:
        return None
    at = read_time(text)
    if at is None:
        _refuse(f'{option} is "{text}", which is no time: write 2025-11-10 or 2025-11-10T12:00Z.')
    is_whole_day = is_end and len(text) == len("2025-11-10") and "-" in text
    return (int(at) + 86_400 * is_whole_day) // 60 * 60


def _settings() -> Settings:
    """Read the configuration, or leave with the sentence that says what is wrong with it."""
    from bot.feeds.providers import PROVIDERS
    from bot.feeds.table import FEEDS
    from bot.settings import SettingsError, load_settings

    try:
        return load_settings(FEEDS, providers=[plug.name for plug in PROVIDERS])
    except SettingsError as error:
        _refuse(str(error))


def _log(level: str, settings: Settings | None = None) -> Redaction:
    from bot.logs import configure_logging

    return configure_logging(settings.secrets() if settings else (), level)


def _finish(work: Coroutine[Any, Any, T], redact: Redaction) -> T:
    """Run a coroutine to its end; what the house or the system knows to say goes out as its sentence."""
    import asyncio

    from bot.ports import TocsinError

    try:
        return asyncio.run(work)
    except (TocsinError, OSError) as error:
        _refuse(redact(str(error)), 1)
    except ExceptionGroup as group:
        sayable, bugs = group.split((TocsinError, OSError))
        if bugs or not sayable:
            raise
        while isinstance(first := sayable.exceptions[0], ExceptionGroup):
            sayable = first
        _refuse(redact(str(first)), 1)


def _refuse(sentence: str, code: int = 2) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def main() -> None:
    """Run the command line as the program ``tocsin``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a sign gets a question mark, not a traceback.
            stream.reconfigure(errors="replace")
    app(prog_name="tocsin")


if __name__ == "__main__":
    main()
