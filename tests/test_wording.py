"""What is told, word by word."""

from __future__ import annotations

from decimal import Decimal
from gettext import NullTranslations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.message import Facts, Message
from bot.alerts.models import Notification, Telling
from bot.alerts.people import ChatRef
from bot.alerts.translator import ENGLISH, Translator, exact_utc
from bot.alerts.wording import word
from bot.rules.phrases import Phrase, Quantity
from tests.conftest import NOON

HOUR, DAY = 3600, 86400


def tell(
    kind: Telling, facts: Facts, tr: Translator = ENGLISH, made: float = NOON, now: float = NOON
) -> Message:
    """Word facts that were promised at ``made``."""
    return word(Notification(1, ChatRef("console", "me"), kind, "dedupe", facts, made), tr, now)


def ring(rule: str = "btc < 100000", armed: str = "", **facts: object) -> dict[str, object]:
    """Give the facts of a ring as watch and the store hand them over."""
    return {
        "alert": "#1",
        "rule": rule,
        "armed_rule": armed or rule.replace("btc", "btc/usdt").replace("eth", "eth/usdt"),
        "key": "btc/usdt",
        "currency": "usdt",
        "venue": "binance",
        "value": 99980.0,
        "at": NOON,
        "seen_at": NOON + 70,
        "now": 100420.0,
        "is_early": False,
        "is_late": False,
        "episode": 1,
        "evidence": [],
    } | facts


def test_a_touch_says_value_distance_present_price_venue_and_time() -> None:
    assert tell(Telling.RING, ring()).plain() == (
        "#1 BTC/USDT fell below 100,000: touched 99,980 (0.02% below), now 100,420. Binance, 12:00 UTC."
    )


def test_a_held_condition_says_how_long_it_has_held() -> None:
    facts = ring("btc > 70000 for 5m", value=70250.0, now=70250.0, at=NOON + 360)
    assert tell(Telling.RING, facts).plain() == (
        "#1 BTC/USDT has held above 70,000 for 5 minutes, now 70,250. Binance, 12:06 UTC."
    )


def test_an_early_ring_says_the_present_price_once() -> None:
    facts = ring(is_early=True, now=99980.0)
    assert "below 100,000: now 99,980 (0.02% below). Binance" in tell(Telling.RING, facts).plain()


def test_a_late_ring_says_when_it_was_touched_and_when_it_was_seen() -> None:
    late = ring(at=NOON + 64 * 60, seen_at=NOON + 91 * 60, is_late=True)
    assert tell(Telling.RING, late, made=NOON + 5460, now=NOON + 5470).plain() == (
        "#1 BTC/USDT fell below 100,000: touched 99,980 at 13:04 UTC, seen at 13:31; now 100,420. Binance."
    )


@pytest.mark.parametrize(
    ("rule", "way", "delay", "end"),
    [
        ("btc < 100000", "stream", 0.82, "Binance, 12:00 UTC, told 0.9 s later."),
        ("btc < 100000", "poll", 12.2, "Binance, 12:00 UTC, told 13 s later."),
        ("btc < 100000", "stream", 0.0, "Binance, 12:00 UTC, told 0.1 s later."),
        ("btc < 100000", "stream", 3.0, "Binance, 12:00 UTC, told 3 s later."),
        ("btc < 100000", "stream", 200.0, "Binance, 12:00 UTC, told 3 minutes later."),
        ("btc < 100000", "minute", 64.0, "Binance, 12:00 UTC, told within 64 s."),  # its second is unknown
        ("btc < 100000 for 5m", "minute", 4.0, "Binance, 12:00 UTC, told 4 s later."),
        ("btc < 100000 and eth < 3000", "minute", 64.0, "Binance, 12:00 UTC, told within 64 s."),
    ],
)
def test_a_ring_says_how_long_after_its_price_it_is_told(rule: str, way: str, delay: float, end: str) -> None:
    notification = Notification(
        1, ChatRef("console", "me"), Telling.RING, "dedupe", ring(rule, way=way), NOON
    )
    message = word(notification, ENGLISH, NOON + delay, delay=delay)
    assert message.title.endswith(end)
    assert message.facts["delay"] == delay


def test_a_ring_that_is_late_says_when_it_was_seen_and_no_delay() -> None:
    facts = ring(way="stream", is_late=True)
    notification = Notification(1, ChatRef("console", "me"), Telling.RING, "dedupe", facts, NOON)
    assert "told" not in word(notification, ENGLISH, NOON + 900, 1e9, delay=900.0).plain()


def test_a_ring_of_yesterday_carries_its_date() -> None:
    facts = ring(is_late=True, seen_at=NOON + DAY)
    text = tell(Telling.RING, facts, made=NOON + DAY, now=NOON + DAY).plain()
    assert "touched 99,980 at 12:00 UTC, Nov 12, seen at 12:00 UTC today; now" in text


def test_a_late_hold_is_told_in_the_past() -> None:
    facts = ring("btc > 70000 for 5m", value=70250.0, now=69000.0, is_late=True, seen_at=NOON + HOUR)
    assert (
        "had held above 70,000 for 5 minutes at 12:00 UTC (70,250), seen at 13:00; now 69,000"
        in tell(Telling.RING, facts).plain()
    )


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("btc > 90000", "BTC/USDT rose above 90,000: touched"),
        ("btc >= 90000", "BTC/USDT rose to 90,000: touched"),
        ("btc <= 100000", "BTC/USDT fell to 100,000: touched"),
        ("100000 > btc", "BTC/USDT fell below 100,000: touched"),
        ("btc crosses 99980", "BTC/USDT reached 99,980: touched 99,980, now"),
        ("btc crosses above 99000", "BTC/USDT crossed above 99,000: touched"),
        ("btc crosses below 100000", "BTC/USDT crossed below 100,000: touched"),
        ("btc moves down 5% in 1h", "BTC/USDT fell 5% in 1 hour: touched 99,980, now"),
        ("btc moves up 5% in 2d", "BTC/USDT rose 5% in 2 days: touched"),
        ("btc moves 0.5% in 90m", "BTC/USDT moved 0.5% in 90 minutes: touched"),
        ("btc < 100000 for 1w", "BTC/USDT has held below 100,000 for 1 week, now 100,420"),
        ("btc <= 100000 for 24h", "BTC/USDT has held at or below 100,000 for 24 hours, now"),
        ("btc >= 90000 for 1d", "BTC/USDT has held at or above 90,000 for 1 day, now"),
        ("btc > eth", "BTC/USDT rose above ETH/USDT, now 100,420"),
        ("btc < eth", "BTC/USDT fell below ETH/USDT, now 100,420"),
    ],
)
def test_each_kind_of_rule_has_a_sentence_of_its_own(rule: str, says: str) -> None:
    assert f"#1 {says}" in tell(Telling.RING, ring(rule)).plain()


def test_a_level_is_told_with_its_number_and_its_name() -> None:
    facts = ring("btc < @etf_cost", "btc/usdt < 100000")
    assert "fell below 100,000 (@etf_cost): touched" in tell(Telling.RING, facts).plain()


def test_a_rule_of_several_terms_shows_the_evidence_of_each() -> None:
    evidence = [
        {"term": "btc/usdt < 100000", "value": 99980.0, "currency": "usdt"},
        {"term": "eth/usdt < 3000", "value": 2999.5, "currency": "usdt"},
    ]
    message = tell(Telling.RING, ring("btc < 100000 and eth < 3000 repeat", evidence=evidence))
    assert message.title == (
        "#1 came true: BTC/USDT below 100,000 and ETH/USDT below 3,000. Binance, 12:00 UTC."
    )
    assert message.lines == ("BTC/USDT below 100,000: 99,980", "ETH/USDT below 3,000: 2,999.5")


@pytest.mark.parametrize(
    ("rule", "value", "line"),
    [
        ("etf_flow(btc) < -900000000", -900_040_000.0, "BTC ETF net flow: -900,040,000 USD"),
        ("etf_flow(btc) > 0 for 3 sessions", 71.4e6, "BTC ETF net flow: 71,400,000 USD"),
        ("etf_flow(btc) crosses above 0", 238.4e6, "BTC ETF net flow: 238,400,000 USD"),
        ("long_share(btc) >= 68%", 68.1, "BTC share of longs: 68.1%"),
        ("rsi(btc, 14, 4h) < 30", 28.5, "RSI(14) of BTC on 4 hours: 28.5"),
    ],
)
def test_a_function_is_told_with_its_value_in_full_and_its_unit(rule: str, value: float, line: str) -> None:
    evidence = [{"term": rule, "value": value, "currency": ""}]
    assert tell(Telling.RING, ring(rule, rule, evidence=evidence, value=value)).lines == (line,)


def test_a_rule_of_several_terms_that_is_late_says_so() -> None:
    facts = ring("btc < 100000 or eth < 3000", is_late=True, seen_at=NOON + HOUR)
    assert tell(Telling.RING, facts).lines == ("Told late: seen at 13:00.",)


def test_a_long_rule_is_told_below_a_short_title() -> None:
    rule = " or ".join(f"btc < {100000 - place}" for place in range(12))
    message = tell(Telling.RING, ring(rule))
    assert message.title == "#1 came true. Binance, 12:00 UTC."
    assert message.lines[0].startswith("BTC/USDT below 100,000 or BTC/USDT below 99,999")


def test_the_note_of_a_rule_is_told_with_its_ring() -> None:
    assert tell(Telling.RING, ring('btc < 100000 note "cut the long"')).lines == ("Note: cut the long",)


def test_a_ring_tells_programs_its_rule_value_time_and_reason() -> None:
    assert tell(Telling.RING, ring("btc < @floor", "btc/usdt < 100000", at=NOON + 0.25)).facts == {
        "event": "ring",
        "alert": "#1",
        "rule": "btc < @floor",
        "value": 99980.0,
        "at": "2025-11-12T12:00:00.250Z",
        "because": "BTC/USDT fell below 100,000 (@floor): touched 99,980 (0.02% below), now 100,420",
    }


def test_a_message_that_had_to_wait_says_when_it_was_due() -> None:
    assert tell(Telling.RING, ring(), now=NOON + 299).lines == ()
    assert tell(Telling.RING, ring(), now=NOON + 301).lines == ("Delayed: this was to be told at 12:00 UTC.",)


def test_a_correction_takes_the_ring_back_and_says_why() -> None:
    message = tell(Telling.CORRECTION, ring())
    assert message.title == (
        "Correction to #1: the ring of 12:00 UTC at 99,980 is taken back: "
        "the final minutes of the exchange do not show it."
    )
    assert message.facts["event"] == "correction"
    given_reason = tell(Telling.CORRECTION, ring(reason="the print was cancelled")).plain()
    assert "is taken back: the print was cancelled." in given_reason
    unknown = tell(Telling.CORRECTION, ring(is_gone=True)).title
    assert unknown.endswith(
        "is taken back: the minutes that would show it are gone, and nobody can say whether it was true."
    )


REVISED = {
    "metric": "etf_flow(btc)",
    "as_of": NOON - NOON % DAY - DAY,
    "before": -903.2e6,
    "after": 12.5e6,
    "at": NOON,
}


def test_a_correction_by_the_source_says_what_it_says_now() -> None:
    message = tell(Telling.CORRECTION, ring("etf_flow(btc) < -900m", value=-903.2e6, revised=[REVISED]))
    assert message.plain() == (
        "Correction to #1: the ring of 12:00 UTC at -903,200,000 is taken back: the source corrected the "
        "BTC ETF net flow of Tue Nov 11 from -903,200,000 to 12,500,000.\nThe alert is armed again."
    )


def test_a_ring_by_a_correction_says_that_it_is_late_and_what_the_figure_was() -> None:
    message = tell(Telling.RING, ring("etf_flow(btc) > 0", value=12.5e6, revised=[REVISED]))
    assert message.lines[-1] == (
        "Late: the source corrected the BTC ETF net flow of Tue Nov 11 from -903,200,000 to 12,500,000."
    )


def test_a_session_keeps_its_date_on_every_clock() -> None:
    there = ENGLISH.in_timezone("America/New_York")
    assert there.session(REVISED["as_of"], NOON) == "Nov 11"
    assert ENGLISH.session(REVISED["as_of"] - 365 * DAY, NOON) == "Nov 11, 2024"
    assert there.session(NOON + 60, NOON) == "07:01 EST"


def test_a_correction_by_the_source_with_less_known_says_less() -> None:
    odd = tell(Telling.CORRECTION, ring(revised=[REVISED | {"metric": "gone(btc)"}]))
    assert "corrected the gone(btc) of Tue Nov 11" in odd.title
    bare = tell(Telling.CORRECTION, ring(revised=[{"metric": "etf_flow(btc)"}]))
    assert bare.title.endswith("is taken back: the source corrected its figure.")


@pytest.mark.parametrize(
    ("rings", "says"), [(0, "It did not ring."), (1, "It rang once."), (3, "It rang 3 times.")]
)
def test_an_ended_alert_says_how_often_it_rang(rings: int, says: str) -> None:
    message = tell(Telling.ENDED, ring(episode=rings))
    assert message.title == "#1 has ended: its time was up at 12:00 UTC."
    assert message.lines == ("BTC/USDT below 100,000", says)


def test_a_moved_level_tells_old_and_new_value_who_moved_it_and_what_follows() -> None:
    facts = {
        "name": "etf_cost",
        "before": "98700",
        "after": "99000.5",
        "by": "Ann",
        "alerts": [{"alert": "#1"}, {"alert": "btc-floor"}],
    }
    message = tell(Telling.LEVEL, facts)
    assert message.title == "@etf_cost moved from 98,700 to 99,000.5, set by Ann."
    assert message.lines[0] == "Armed anew: #1 and btc-floor."
    assert tell(Telling.LEVEL, facts | {"before": None}).title == "@etf_cost is now 99,000.5, set by Ann."


def test_an_unpublished_alert_says_that_it_rings_no_more() -> None:
    message = tell(Telling.WITHDRAWN, {"alert": "btc-floor", "rule": "btc < @etf_cost"})
    assert message.title == "btc-floor was unpublished: it will not ring here any more."
    assert message.lines == ("BTC below @etf_cost",)


def test_a_rule_that_is_no_longer_read_is_told_in_its_own_text() -> None:
    message = tell(Telling.RING, ring("from another version", "from another version"))
    assert message.title.startswith("#1 came true: from another version. Binance")


_FACT = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**10),
    st.floats(-1e6, 1e10),
    st.text(max_size=12),
    st.sampled_from(["btc/usdt < 1", "btc > @x for 5m", "btc/usdt crosses 3", "98700"]),
    st.lists(
        st.dictionaries(
            st.sampled_from(["term", "value", "alert", "venue"]), st.text(max_size=5) | st.floats(0, 9)
        )
    ),
)
_NAMES = ["alert", "rule", "armed_rule", "venue", "value", "at", "seen_at", "now", "is_late", "is_early"]
_NAMES += [
    "episode",
    "evidence",
    "note",
    "reason",
    "name",
    "before",
    "after",
    "by",
    "alerts",
    "rang_on",
    "finals",
]


@given(st.sampled_from(Telling), st.dictionaries(st.sampled_from(_NAMES), _FACT))
def test_no_facts_keep_a_notification_from_being_told(kind: Telling, facts: dict[str, object]) -> None:
    assert tell(kind, facts).plain()


# --- a person's form ----------------------------------------------------------------------------------------


def test_numbers_keep_what_matters_and_nothing_else() -> None:
    assert ENGLISH.price(69400.0) == "69,400"
    assert ENGLISH.price(0.00001234) == "0.00001234"
    assert ENGLISH.price(1.2e-9) == "0.0000000012"
    assert ENGLISH.price(0.1 + 0.2) == "0.3"
    assert ENGLISH.price(123456789.5) == "123,456,790"
    assert ENGLISH.number(Decimal("7E+4")) == "70,000"
    assert ENGLISH.number(Decimal("1234567.000000000001")) == "1,234,567.000000000001"


def test_shares_are_rough_but_never_nothing() -> None:
    assert ENGLISH.share(0.00864) == "0.9%"
    assert ENGLISH.share(0.000235) == "0.02%"
    assert ENGLISH.share(0.0) == "0%"
    assert ENGLISH.share(12.34) == "1,234%"


def test_lengths_of_time_are_told_in_the_unit_that_fits() -> None:
    told = [ENGLISH.duration(seconds) for seconds in (1, 45, 1500, 7200, 5 * DAY)]
    assert told == ["1 second", "45 seconds", "25 minutes", "2 hours", "5 days"]


def test_times_and_numbers_follow_the_language_and_the_clock_of_the_person() -> None:
    german = Translator("de", "Europe/Berlin", NullTranslations())
    assert german.price(69412.5) == "69.412,5"
    assert german.instant(NOON, NOON + DAY) == "13:00 CET, 12. Nov."
    assert german.percent(Decimal("0.9")) == "0,9\xa0%"
    assert ENGLISH.in_timezone("America/Sao_Paulo").instant(NOON, NOON) == "09:00 UTC-03"
    assert Translator("tlh-QQ", "UTC", NullTranslations()).price(1234.5) == "1,234.5"


def test_a_phrase_is_worded_with_what_it_holds() -> None:
    price = Quantity(Decimal("100000"), "price", "usdt")
    inner = Phrase("{value} below {level}", {"value": "BTC/USDT", "level": price})
    phrase = Phrase(
        "{condition} for {count} minutes, {share}",
        {
            "condition": inner,
            "count": 1500,
            "share": Quantity(Decimal("0.5"), "percent"),
        },
    )
    assert ENGLISH.render(phrase) == "BTC/USDT below 100,000 for 1,500 minutes, 0.5%"


class Backwards(NullTranslations):
    """A catalogue that turns each template round."""

    def gettext(self, message: str) -> str:
        return {"{event}: touched {value}, now {now}": "{now} <- {value}: {event}"}.get(message, message)


def test_a_catalogue_changes_the_words_and_keeps_the_facts() -> None:
    message = tell(Telling.RING, ring(), Translator("en", "UTC", Backwards()))
    assert message.title.startswith("#1 100,420 <- 99,980 (0.02% below): BTC/USDT fell below 100,000.")
    assert message.facts["value"] == 99980.0


def test_instants_for_programs_are_exact_and_in_utc() -> None:
    assert exact_utc(NOON) == "2025-11-12T12:00:00Z"
    assert exact_utc(NOON + 0.5) == "2025-11-12T12:00:00.500Z"
