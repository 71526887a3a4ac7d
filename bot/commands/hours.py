"""Quiet hours, what is urgent in spite of them, and reports by the clock."""

from __future__ import annotations

from dataclasses import replace

from bot.alerts.facts import rule_of
from bot.alerts.hours import DAY, Plan, read_plan, read_quiet, read_series
from bot.alerts.message import Button, Buttons, Message, say
from bot.alerts.people import ChatKind
from bot.alerts.report import word_report
from bot.alerts.sentences import metric_name
from bot.commands.alerts import no_alert, rows
from bot.commands.reading import label_of, prepare
from bot.commands.request import Refusal, Request
from bot.ports import Replies
from bot.reports import gather
from bot.rules import RuleError, instruments, metrics, parse
from bot.rules.tree import Rule

_OFF, _NOW = "off", "now"
_MOST = 20
_SERIES = "btc eth"
_ON = "on"


async def quiet(request: Request) -> Replies:
    """Show the quiet hours of this chat, set them, or end them."""
    tr, wanted = request.tr, request.given("hours").strip()
    register = request.office.register
    text, kept = await register.quiet(request.caller)
    known = read_quiet(text)
    until = known.ends_at(request.settings.timezone, request.now) if known else None
    kept = 0 if until is None else kept
    waiting = [tr.many("{count} message is kept.", "{count} messages are kept.", kept)] if kept else []
    if not wanted:
        if known:
            lines = [tr("Quiet hours: {hours}, on the clock of this chat.", hours=_hours(text))]
            lines += [tr("It is quiet now, until {at}.", at=tr.instant(until, request.now))] if until else []
            yield Message(lines=(*lines, *waiting), buttons=_off(request))
            return
        yield say(
            tr("There are no quiet hours here."),
            tr("To have what rings kept and told in one message: {line}", line="/quiet 23:00-07:00"),
        )
        return
    if wanted.lower() == _OFF:
        await register.set_quiet(request.caller, "", request.instant)
        told = [tr("What was kept is told now.")] if kept else []
        yield say(tr("There are no quiet hours here any more."), *told)
        return
    chosen = read_quiet(wanted)
    if chosen is None:
        raise Refusal(
            tr('"{text}" are no quiet hours.', text=wanted[:64]),
            tr("Send a beginning and an end, or off: {line}", line="/quiet 23:00-07:00"),
        )
    await register.set_quiet(request.caller, str(chosen), request.instant)
    yield Message(
        lines=(
            tr("Quiet hours: {hours}, on the clock of this chat.", hours=_hours(str(chosen))),
            tr("What comes then is kept and told in one list at the end; what is urgent is told at once."),
            tr("To make an alert urgent: {line}", line="/urgent N"),
        ),
        buttons=_off(request),
    )


async def urgent(request: Request) -> Replies:
    """Let an alert be told before all else and in quiet hours too, or not any more."""
    tr, label, how = request.tr, label_of(request.given("alert")), request.given("how").strip().lower()
    if how not in ("", _ON, _OFF):
        raise Refusal(tr('Send on or off, not "{text}": {line}', text=how[:64], line="/urgent 3 off"))
    alert = await request.office.register.set_urgent(
        request.chat, label, request.instant, is_urgent=how != _OFF
    )
    if alert is None:
        raise no_alert(request, label, await rows(request))
    if how == _OFF:
        yield say(tr("{label} is not urgent any more.", label=alert.label))
        return
    yield say(
        tr("{label} is urgent: it is told before all else, and in quiet hours too.", label=alert.label),
        tr("To take that back: {line}", line=f"/urgent {alert.name or alert.number} off"),
    )


async def report(request: Request) -> Replies:
    """Tell a report now, show when the next is due, or say when they are told and what of."""
    tr, wanted = request.tr, request.given("when").strip()
    register, zone = request.office.register, request.settings.timezone
    known = await register.report(request.caller.chat)
    now, _, rest = wanted.partition(" ")
    if now.lower() == _NOW:
        span = known.plan.span if known else DAY
        chosen = known.plan.series if known else ()
        if rest:
            chosen = await chosen_series(read_series(rest.lower()), request)
        facts = await gather(
            register,
            request.office.market,
            request.chat,
            request.now,
            since=known.since if known else request.now - span,
            span=span,
            chosen=chosen,
            ask=request.office.metrics.ask,
        )
        yield word_report(facts, tr, request.now)
        return
    if not wanted:
        if known is None:
            line = tr("There are no reports here. To have one every day: {line}", line="/report daily 09:00")
            yield Message(lines=(line,), buttons=_now(request))
            return
        at = tr.instant(known.at, request.now)
        lines = (*_planned(known.plan, request), tr("The next is due {at}.", at=at))
        yield Message(lines=lines, buttons=_now(request))
        return
    if wanted.lower() == _OFF:
        await register.set_report(request.caller, None, request.instant)
        yield say(tr("There are no reports here any more.") if known else tr("There are no reports here."))
        return
    plan = read_plan(wanted)
    if plan is None:
        raise Refusal(
            tr('"{text}" is no time for reports.', text=wanted[:64]),
            tr("Send {daily}, {weekly}, now or off.", daily="daily 09:00", weekly="weekly mon 09:00"),
        )
    plan = replace(plan, series=await chosen_series(plan.series, request))
    due = await register.set_report(request.caller, plan, request.instant)
    at = tr.instant(due if due is not None else plan.next_after(zone, request.now), request.now)
    lines = (*_planned(plan, request), tr("The next is due {at}.", at=at))
    yield Message(lines=lines, buttons=_now(request))


async def chosen_series(names: tuple[str, ...], request: Request) -> tuple[str, ...]:
    """Find the series that somebody names for a report, as rules write them in full. Raises Refusal."""
    tr, found = request.tr, dict[str, None]()
    if len(names) > _MOST:
        raise Refusal(tr("A report is of at most {count} series.", count=_MOST))
    words = iter(names)
    for word in words:
        name = f"etf_flow({next(words, 'btc')})" if word == "etf" else word
        try:
            rule = parse(f"{name} > 1")
        except RuleError as error:
            raise _no_series(name, request) from error
        read = (await prepare(request, rule, {})).armed
        series = [str(one).replace(" ", "") for one in (*instruments(read), *metrics(read))]
        if len(series) != 1 or rule_of(f"{series[0]} > 1") != Rule(read.condition):
            raise _no_series(name, request)
        found[series[0]] = None
    return tuple(found)


def _no_series(name: str, request: Request) -> Refusal:
    tr = request.tr
    return Refusal(
        tr('"{name}" is no price or figure that a report can tell of.', name=name[:64]),
        tr("For instance: {rule}", rule=f"/report daily 09:00 {_SERIES}"),
        tr("/metrics lists the figures that there are."),
    )


def _planned(plan: Plan, request: Request) -> tuple[str, str]:
    tr = request.tr
    if request.caller.kind is ChatKind.GROUP:
        when = tr("Reports are told in this group {plan}, on its clock.", plan=plan.times)
    else:
        when = tr("Reports are told here {plan}, on your clock.", plan=plan.times)
    if plan.series:
        names = tr.listed(metric_name(one, tr) for one in plan.series)
        return when, tr("They tell of {series}, and of what rang.", series=names)
    line = f"/report {plan.times} {_SERIES}"
    return when, tr("They tell of what your alerts read, and of what rang. To choose: {line}", line=line)


def _hours(text: str) -> str:
    return text.replace("-", "–")


def _off(request: Request) -> Buttons:
    return ((Button(request.tr("No quiet hours"), "/quiet off"),),)


def _now(request: Request) -> Buttons:
    return ((Button(request.tr("One now"), "/report now"),),)
