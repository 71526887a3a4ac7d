"""The command line: start the bot, watch the demo, read a rule, look after the database.

Rooms are imported inside the commands, so that help and version answer at once.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import fields
from datetime import date
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot import upkeep
from bot.terminal import Json, begin_log, finish, print_json, refuse, settings_or_leave

if TYPE_CHECKING:
    from bot.rules import RuleError

app = typer.Typer(
    help="Tocsin rings in Telegram and Discord when a market does what you wrote in one line.",
    epilog="Settings are environment variables, .env or files in secrets/; .env.example names them all.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they would show the values of variables
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
def run(
    roles: Annotated[
        str | None,
        typer.Option(metavar="ROLE,...", help="What this process does: feed, engine, chat; usually all."),
    ] = None,
) -> None:
    """Start the bot with what is configured.

    Without a token it talks on this terminal.
    """
    given = {"roles": _roles(roles)} if roles is not None else {}
    # What is imported and built now stays: the collector would look through it again and again, for a third
    # of the time until the bot is ready. It begins when an exchange has said what it lists.
    gc.disable()
    settings = settings_or_leave(**given)
    from bot.app import run as start

    is_spoken_here = settings.telegram_token is None and settings.discord_token is None
    finish(start(settings), begin_log("WARNING" if is_spoken_here else "INFO", settings))


@app.command()
def demo(json: Json = False) -> None:
    """Play November 2025 in under a minute.

    Alerts are written, answered and ring. Needs no token and no network.
    """
    from bot.demo import play

    # On its clock hours pass between two looks, so that everything seems unwell now and then.
    raise typer.Exit(finish(play(json, sys.stdout), begin_log("ERROR")))


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
            refuse("check - answers in JSON: write check - --json.")
        quote = settings_or_leave().quote
        # Bytes are split at \n alone; text would be split wherever Unicode sees the end of a line.
        for line in sys.stdin.buffer:
            print_json(_reading(line.decode("utf-8", "replace").removesuffix("\n"), quote), sys.stdout)
        return
    text = " ".join(rule)
    if json:
        answer = _reading(text, settings_or_leave().quote)
        print_json(answer, sys.stdout)
        raise typer.Exit(0 if answer["ok"] else 2)
    try:
        parsed = read(text).rule
    except RuleError as error:
        refuse(_drawn(error))
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
    from bot.feeds.metrics.files import BadFile, read_history
    from bot.rules import RuleError, fill, name_stocks, qualify, read

    settings = settings_or_leave()
    first, last = _instant("--from", since), _instant("--to", until, is_end=True)
    try:
        stocks = {one[1 : one.index("=")] for one in data or () if one.startswith("$") and "=" in one}
        written = name_stocks(read(" ".join(rule)).rule, stocks)
        armed = qualify(fill(written, {}), settings.quote)
        if data:
            past = read_history(data, settings.quote)
        else:
            from bot.app import fetch_history

            past, first = finish(fetch_history(settings, armed, first, last), begin_log("WARNING", settings))
        report = run(armed, past, first, last, canonical=str(written))
    except RuleError as error:
        if json:
            print_json(_mistake(error), sys.stdout)
        refuse(_drawn(error))
    except (BadFile, Unfit) as error:
        if json:
            print_json({"ok": False, "error": str(error)}, sys.stdout)
        refuse(str(error))
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


for _command in (upkeep.doctor, upkeep.backup, upkeep.restore):
    app.command()(_command)
app.add_typer(upkeep.database, name="db", help="Look after the database.")


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


def _roles(words: str) -> tuple[str, ...]:
    """Read the roles of an option."""
    from bot.duties import ROLES, read_roles

    try:
        return read_roles(words)
    except ValueError as error:
        refuse(f"--roles {error}: write {', '.join(ROLES)}, or some of them with commas between them.")


def _instant(option: str, text: str, is_end: bool = False) -> int | None:
    """Read the time of an option, down to the minute; a day that ends something is taken in whole."""
    from bot.feeds.metrics.files import read_time

    if not text:
        return None
    at = read_time(text)
    if at is None:
        refuse(f'{option} is "{text}", which is no time: write 2025-11-10 or 2025-11-10T12:00Z.')
    is_whole_day = is_end and len(text) == len("2025-11-10") and "-" in text
    return (int(at) + 86_400 * is_whole_day) // 60 * 60


def main() -> None:
    """Run the command line as the program ``tocsin``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a sign gets a question mark, not a traceback.
            stream.reconfigure(errors="replace")
    app(prog_name="tocsin")


if __name__ == "__main__":
    main()
