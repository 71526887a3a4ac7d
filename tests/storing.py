"""What the tests of the store share: chats, rules armed as commands arm them, and tellings of watch."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from bot.alerts.models import Alert, Level
from bot.alerts.people import Caller, ChatKind, ChatRef
from bot.engine.state import AlertState, Correction, Ended, Evidence, Ring
from bot.metrics import MetricKey, Seen, point
from bot.ports import Judgement, NewArming, Told
from bot.rules import fill, parse, qualify
from bot.store import SqlStore

NOON = 1_762_948_800.0
BTC = MetricKey("price", "btc/usdt")
ETH = MetricKey("price", "eth/usdt")
SEEN = {BTC: Seen(NOON, point(101_000, int(NOON))), ETH: Seen(NOON, point(3_400, int(NOON)))}


def caller(chat: str | int, platform: str = "telegram", kind: ChatKind = ChatKind.PRIVATE) -> Caller:
    """Give somebody who speaks in a chat."""
    return Caller(ChatRef(platform, str(chat)), kind, f"person-{chat}", f"name-{chat}")


ANN, BOB, CAT = caller("ann"), caller("bob"), caller("cat")


def refill(rule: str, levels: Mapping[str, Decimal]) -> str:
    """Fill and qualify a rule, as commands do."""
    return str(qualify(fill(parse(rule), levels), "usdt"))


async def filled(store: SqlStore, chat: ChatRef, rule: str) -> NewArming:
    """Prepare an arming of a rule as a chat has its levels."""
    levels = {name: level.value for name, level in (await store.levels(chat)).items()}
    return NewArming(refill(rule, levels), SEEN)


async def make(store: SqlStore, who: Caller, rule: str, now: float = NOON) -> Alert:
    """Make a personal alert."""
    return await store.make_alert(who, rule, await filled(store, who.chat, rule), now)


async def follow(store: SqlStore, who: Caller, name: str, now: float = NOON) -> Alert | None:
    """Follow a shared alert."""
    rule = next(shared.alert.rule for shared in await store.catalogue() if shared.alert.name == name)
    return await store.subscribe(who, name, await filled(store, who.chat, rule), now)


async def resume(store: SqlStore, who: Caller, label: str, now: float = NOON) -> Alert | None:
    """Resume an alert."""
    rule = next(one.alert.rule for one in await store.subscriptions(who.chat) if one.alert.label == label)
    return await store.resume(who.chat, label, await filled(store, who.chat, rule), now)


async def put_level(
    store: SqlStore, who: Caller, name: str, value: str, chat: ChatRef | None = None, *, now: float = NOON
) -> tuple[Decimal | None, int, int]:
    """Set a level; gives what it was, and how many alerts in how many chats follow it."""
    level = Level(name, Decimal(value), chat, who.name, now)
    change = await store.set_level(who, level, refill, SEEN, now)
    return change.before, change.alerts, change.chats


async def arming_of(store: SqlStore, who: Caller, label: str = "#1") -> int:
    """Give the id of the arming that a chat follows."""
    for one in await store.subscriptions(who.chat):
        if one.alert.label == label and one.arming:
            return one.arming.id
    raise AssertionError(f"{who.chat} follows no arming of {label}")


def ring(arming: int, episode: int = 1, **changes: object) -> Told:
    """Tell a ring."""
    of = {"at": NOON, "value": 99_980.0, "evidence": (Evidence("btc < 100000", 99_980.0, "usdt"),)}
    return Told(arming, Ring(episode=episode, **{**of, **changes}), {"value": 99_980.0})  # type: ignore[arg-type]


def correction(arming: int, episode: int = 1, corrections: int = 0) -> Told:
    """Tell that a ring was none."""
    return Told(arming, Correction(episode, NOON, 99_980.0, corrections), {"value": 99_980.0, "at": NOON})


def ended(arming: int) -> Told:
    """Tell that an alert's time was up."""
    return Told(arming, Ended(NOON, 0), {"at": NOON, "episode": 0})


def judged(*told: Told, at: float = NOON, states: Mapping[int, AlertState] | None = None) -> Judgement:
    """Judge: tellings, with the states after them."""
    return Judgement(at, states or {}, {}, told)


def rang(episode: int = 1) -> AlertState:
    """Give the state of an arming that has rung."""
    return AlertState(int(NOON) + 60, is_firing=True, episode=episode, rang_at=NOON)


async def tell(store: SqlStore, *told: Told, at: float = NOON) -> int:
    """Commit tellings as the holder of partition 0."""
    return await store.commit(0, await store.take(0, "test"), judged(*told, at=at))
