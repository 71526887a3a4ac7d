"""The command line for operators: examine a deployment, look after its database, copy it and put it back."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.terminal import Json, begin_log, finish, print_json, refuse, settings_or_leave

if TYPE_CHECKING:
    from bot.store import Condition

database = typer.Typer(no_args_is_help=True)


def doctor(json: Json = False) -> None:
    """Examine what is configured, and say what is not well.

    Tokens, exchanges and the database are really asked. Changes nothing; the bot may run meanwhile.
    """
    settings = settings_or_leave()
    from bot.clock import SystemClock
    from bot.doctor import examine, table

    findings = finish(examine(settings, SystemClock()), begin_log("ERROR", settings))
    is_well = all(one.state != "unwell" for one in findings)
    if json:
        print_json({"ok": is_well, "findings": [asdict(one) for one in findings]}, sys.stdout)
    else:
        typer.echo(table(findings))
    raise typer.Exit(0 if is_well else 1)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy is to stand: a new file.")],
) -> None:
    """Copy the database into a file.

    The bot may go on meanwhile. Keep the copy as you keep the tokens: it holds what people wrote.
    """
    settings = settings_or_leave()
    from bot.store import back_up

    condition = finish(back_up(settings.database_url, file), begin_log("WARNING", settings))
    typer.echo(f"The database is copied to {file}, at revision {condition.revision}.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy that tocsin backup made.")],
) -> None:
    """Put a copy in the place of the database.

    The bot must be stopped. What was there is kept beside it, as .before-restore.
    """
    settings = settings_or_leave()
    from bot.store import restore as put_back

    condition = finish(put_back(settings.database_url, file), begin_log("WARNING", settings))
    typer.echo(f"The database is what {file} holds, at revision {condition.revision}.")


@database.command("upgrade")
def upgrade_database() -> None:
    """Bring the database to this version's tables.

    run does it too.
    """
    settings = settings_or_leave()
    from bot.store import claim, upgrade

    async def work() -> Condition:
        async with claim(settings.database_url, "an upgrade"):
            return await upgrade(settings.database_url)

    condition = finish(work(), begin_log("WARNING", settings))
    typer.echo(f"The database is up to date, at revision {condition.revision}.")


@database.command("check")
def check_database(json: Json = False) -> None:
    """Say whether the database is well.

    It is when it is whole and has this version's tables. Changes nothing.
    """
    settings = settings_or_leave()
    from bot.store import check as examine

    condition = finish(examine(settings.database_url), begin_log("WARNING", settings))
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


@database.command("copy")
def copy_database(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Where everything is: sqlite:///...")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Where it is to be: postgresql://...")],
    json: Json = False,
) -> None:
    """Copy everything into an empty database.

    From SQLite to PostgreSQL, or back. The bot must be stopped; the source is only read. Every row is read
    back before it counts.
    """
    from bot import entries

    urls = []
    for name, url in (("SOURCE", source), ("TARGET", target)):
        try:
            urls.append(entries.database(url))
        except ValueError as error:
            refuse(f"{name} {error}: write {entries.DATABASE}.")
    from bot.store import copy

    secrets = [secret for url in urls for secret in entries.passwords(url)]
    carried = finish(copy(*urls), begin_log("WARNING", secrets=secrets))
    if json:
        print_json({"ok": True, "tables": [asdict(one) for one in carried]}, sys.stdout)
        return
    width = max(len(one.table) for one in carried)
    typer.echo(f"{'table':<{width}}  {'here':>10}  {'there':>10}")
    for one in carried:
        typer.echo(f"{one.table:<{width}}  {one.here:>10,}  {one.there:>10,}")
    total = sum(one.there for one in carried)
    typer.echo(f"All {total:,} rows were read back from the target, and are what the source holds.")
