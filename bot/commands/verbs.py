"""The one table of what people may say; menus, slash commands and help on every platform are read from it."""

from __future__ import annotations

from bot.alerts.people import Role
from bot.commands import alerts, charts, feeds, levels, manual, market, metrics, preview, shared
from bot.commands.table import Command, Option

_RULE = Option("rule", "The rule, such as: btc < 100k for 5m", completes="rule")
_NUMBER = Option("number", "The alert's number, as /alerts shows it", kind="whole", completes="alert")
_ALERT = Option("alert", "The alert's number, or the name of a shared one", completes="alert")
_SHARED = Option("name", "The name of a shared alert", completes="shared")

COMMANDS: tuple[Command, ...] = (
    Command("start", "Say what this bot does", Role.MEMBER, (), manual.start),
    Command(
        "help",
        "List the commands, or tell more of one",
        Role.MEMBER,
        (Option("command", "The command to tell more of", is_required=False, completes="command"),),
        manual.show,
        examples=("alert",),
    ),
    Command(
        "alert",
        "Ring here when a rule comes true",
        Role.ADMIN,
        (_RULE,),
        alerts.make,
        changes=True,
        examples=(
            "btc < 100k",
            "btc > 70k for 5m",
            "btc -5% in 1h",
            "btc every 2% drop",
            "btc rsi 4h < 30",
            "btc breaks 100k repeat cooldown 1h",
        ),
    ),
    Command(
        "test",
        "Say how often a rule would have rung in the last 30 days",
        Role.MEMBER,
        (_RULE,),
        preview.test,
        examples=("btc < 100k", "btc -5% in 1h"),
    ),
    Command(
        "alerts",
        "List the alerts of this chat and how each stands",
        Role.MEMBER,
        (Option("page", "Which page of a long list", kind="whole", is_required=False),),
        alerts.show,
    ),
    Command(
        "delete", "Delete an alert", Role.ADMIN, (_NUMBER,), alerts.delete, changes=True, examples=("3",)
    ),
    Command(
        "pause",
        "Put an alert to rest until it is resumed",
        Role.ADMIN,
        (_ALERT,),
        alerts.pause,
        changes=True,
        examples=("3", "btc-floor"),
    ),
    Command(
        "resume",
        "Arm a paused alert again, or one that rang",
        Role.ADMIN,
        (_ALERT,),
        alerts.resume,
        changes=True,
        examples=("3", "btc-floor"),
    ),
    Command(
        "ringnow",
        "Ring for what was true already when the alert was made",
        Role.ADMIN,
        (_ALERT,),
        alerts.ring_now,
        changes=True,
        examples=("3", "btc-floor"),
    ),
    Command(
        "price",
        "Say the present price of one or several instruments",
        Role.MEMBER,
        (Option("instruments", "Instruments, such as: btc eth/usd btc/usdt@kraken", completes="instrument"),),
        market.price,
        examples=("btc", "btc eth/usd"),
    ),
    Command(
        "chart",
        "Show a chart of an instrument, or of the flows of a coin's funds",
        Role.MEMBER,
        (Option("what", "What, and the length of a candle: btc 4h; or: etf btc", completes="instrument"),),
        charts.show,
        examples=("btc 4h", "eth/usd 1d light", "etf btc"),
    ),
    Command(
        "metrics",
        "List what can be watched beyond prices, and what is missing for the rest",
        Role.MEMBER,
        (),
        metrics.show,
    ),
    Command(
        "etf",
        "Show the flows of a coin's funds in the last sessions",
        Role.MEMBER,
        (Option("coin", "The coin, such as: btc", is_required=False),),
        metrics.etf,
        examples=("btc",),
    ),
    Command("status", "Say how the feeds are and what this chat has", Role.MEMBER, (), market.status),
    Command(
        "feeds",
        "Say how each feed is, what it costs, and who stands in for whom",
        Role.MEMBER,
        (),
        feeds.show,
        tells_more_to=Role.ADMIN,
    ),
    Command("catalogue", "List the shared alerts that a chat may follow", Role.MEMBER, (), shared.catalogue),
    Command(
        "subscribe",
        "Follow a shared alert in this chat",
        Role.ADMIN,
        (_SHARED,),
        shared.subscribe,
        changes=True,
        examples=("btc-floor",),
    ),
    Command(
        "unsubscribe",
        "Follow a shared alert no longer",
        Role.ADMIN,
        (_SHARED,),
        shared.unsubscribe,
        changes=True,
        examples=("btc-floor",),
    ),
    Command(
        "publish",
        "Publish a rule under a name, for every chat to follow",
        Role.OPERATOR,
        (Option("name", "Its name: a-z, 0-9, - and _, at most 32"), _RULE),
        shared.publish,
        changes=True,
        examples=("btc-floor btc < @etf_cost",),
    ),
    Command(
        "unpublish",
        "Take a shared alert back",
        Role.OPERATOR,
        (_SHARED,),
        shared.unpublish,
        changes=True,
        examples=("btc-floor",),
    ),
    Command(
        "level",
        "List the levels that rules follow, or set one",
        Role.ADMIN,
        (
            Option("name", "The level, such as: etf_cost", is_required=False, completes="level"),
            Option("value", "Its new number, such as: 98.7k", is_required=False),
        ),
        levels.level,
        changes=True,
        reads_without="value",
        examples=("", "etf_cost 98.7k"),
    ),
)
"""Every command, in the order in which help lists them."""
