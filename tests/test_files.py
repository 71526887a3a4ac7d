"""Candles and metrics from CSV files: what is read, and what is refused with its line."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.engine.past import Unfit
from bot.engine.sessions import XNYS
from bot.feeds.metrics.files import BadFile, CandleFile, read_candles, read_history, read_metric, series_of
from bot.metrics import MINUTE, Bar, MetricKey, Observation
from tests.markets import BTC, ETH, START

HOUR, DAY = 3600, 86_400
HEAD = "time,open,high,low,close,volume\n"
FLOWS = MetricKey("etf_flow", "btc")

Write = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "btc.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def hours(*places: int, form: Callable[[int], str] = str) -> str:
    return HEAD + "".join(f"{form(START + place * HOUR)},100,102,98,101,7.5\n" for place in places)


def bar(place: int, span: int = HOUR) -> Bar:
    return Bar(START + place * span, 100.0, 102.0, 98.0, 101.0, 7.5, span)


@pytest.mark.parametrize(
    "form",
    [
        str,
        lambda at: f"{at}000",
        lambda at: f"{at}.0",
        lambda at: f"2025-11-12T{(at - START) // HOUR + 12}:00:00Z",
        lambda at: f"2025-11-12 {(at - START) // HOUR + 12}:00",
        lambda at: f"2025-11-12T{(at - START) // HOUR + 13}:00+01:00",
        lambda at: f' "2025-11-12T{(at - START) // HOUR + 12}:00Z"',
    ],
)
def test_times_are_iso_or_an_epoch_in_seconds_or_milliseconds(
    written: Write, form: Callable[[int], str]
) -> None:
    file = read_candles(written(hours(0, 1, 2, form=form)))
    assert list(file) == [bar(0), bar(1), bar(2)]
    assert list(file) == list(file)
    assert (len(file), file.span) == (3, HOUR)


def test_the_most_frequent_step_is_the_length_of_a_bar_and_the_others_are_holes(written: Write) -> None:
    file = read_candles(written(hours(0, 1, 2, 5, 6, 30)))
    assert file.span == HOUR
    assert [one.at for one in file] == [START + place * HOUR for place in (0, 1, 2, 5, 6, 30)]


@pytest.mark.parametrize("span", [MINUTE, 5 * MINUTE, 15 * MINUTE, 4 * HOUR, 8 * HOUR, DAY])
def test_any_length_that_divides_a_day_is_read(written: Write, span: int) -> None:
    rows = "".join(f"{START + place * span},100,102,98,101,7.5\n" for place in range(4))
    assert list(read_candles(written(HEAD + rows))) == [bar(place, span) for place in range(4)]


def test_columns_stand_in_any_order_and_others_are_ignored(written: Write) -> None:
    rows = f"7.5,{START},x,101,98,102,100\n\n7.5,{START + HOUR},y,101,98,102,100\n"
    file = read_candles(written("\ufeffVolume, Time ,note,close,low,high,OPEN\n" + rows))
    assert list(file) == [bar(0), bar(1)]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("x,100,102,98,101,1", 'line 4: time is "x", which is no time; write 2025-11-12T19:00Z or an epoch.'),
        (",100,102,98,101,1", 'line 4: time is "", which is no time'),
        ("17629560,100,102,98,101,1", 'line 4: time is "17629560", which is not between 2009 and 2099.'),
        ("\u2028\x0b" + "9" * 50 + ",100,102,98,101,1", 'line 4: time is "' + "9" * 40 + '...", which is no'),
        ("nan,100,102,98,101,1", 'line 4: time is "nan"'),
        ("1e300,100,102,98,101,1", 'line 4: time is "1e300"'),
        (f"{START + 2 * HOUR + 1},100,102,98,101,1", "at which no minute opens."),
        (f"{START + HOUR},100,102,98,101,1", "line 4: its time is that of line 3 again."),
        (f"{START - HOUR},100,102,98,101,1", "line 4: its time is before that of line 3; times must rise."),
        (f"{START + 2 * HOUR},1oo,102,98,101,1", 'line 4: open is "1oo", which is no number.'),
        (f"{START + 2 * HOUR},,102,98,101,1", 'line 4: open is "", which is no number.'),
        (f"{START + 2 * HOUR},100,inf,98,101,1", 'line 4: high is "inf", which is no number.'),
        (f"{START + 2 * HOUR},100,1_02,98,101,1", 'line 4: high is "1_02", which is no number.'),
        (f"{START + 2 * HOUR},100,98,102,101,1", "line 4: low 102 is above high 98."),
        (
            f"{START + 2 * HOUR},100,102,98,103,1",
            "line 4: prices must be above 0, and open and close between",
        ),
        (f"{START + 2 * HOUR},0,102,0,101,1", "line 4: prices must be above 0"),
        (f"{START + 2 * HOUR},100,102,98,101,-1", "line 4: volume -1 is below 0."),
        (f"{START + 2 * HOUR},100,102,98,101", "line 4: it has 5 values where the first line names 6."),
    ],
)
def test_a_bad_line_is_refused_in_one_sentence_that_names_it(written: Write, row: str, what: str) -> None:
    with pytest.raises(BadFile) as refused:
        read_candles(written(hours(0, 1) + row + "\n"))
    sentence = str(refused.value)
    assert sentence.startswith("btc.csv, line 4: ")
    assert what in sentence
    assert len(sentence.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "",
            "btc.csv lacks time, open, high, low, close, volume: its first line must be time,",
        ),
        (
            "time,open,high,low,close\n",
            "btc.csv lacks volume: its first line must be time,open,high,",
        ),
        (HEAD, "btc.csv holds 0 candles: at least two are needed to know how long one is."),
        (hours(0), "btc.csv holds 1 candles"),
        (
            HEAD + "".join(f"{START + place * 7 * MINUTE},1,1,1,1,1\n" for place in range(3)),
            "btc.csv holds candles of 7 minutes, which do not divide a day.",
        ),
        (
            hours(0, 1, 2) + f"{START + 3 * HOUR + MINUTE},1,1,1,1,1\n",
            "btc.csv, line 5: its time is not a whole number of 1 hour after the first.",
        ),
        (HEAD + '1,"' + "x" * 200_000, "btc.csv is no CSV: field larger than field limit (131072)."),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(written: Write, text: str, what: str) -> None:
    with pytest.raises(BadFile) as refused:
        read_candles(written(text))
    assert str(refused.value).startswith(what)


def test_what_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read: No such file or directory"):
        read_candles(tmp_path / "none.csv")
    with pytest.raises(BadFile, match="cannot be read: Is a directory"):
        read_candles(tmp_path)
    (tmp_path / "zip.csv").write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(BadFile, match=r"zip\.csv is no text in UTF-8"):
        read_candles(tmp_path / "zip.csv")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(HEAD + text, encoding="utf-8", newline="")
    try:
        assert isinstance(read_candles(path), CandleFile)
    except BadFile as refused:
        assert len(str(refused).splitlines()) == 1


# --- metrics ------------------------------------------------------------------------------------------------


def word(day: int, value: float, known_at: float, is_final: bool = True, revision: int = 0) -> Observation:
    return Observation(FLOWS, day * DAY, Decimal(str(value)), known_at, is_final, revision, "btc.csv")


TWENTIETH = 20_412
"""20 November 2025, in days of the epoch."""


def test_a_value_is_known_when_its_session_is_settled(written: Write) -> None:
    path = written("as_of,value\n2025-11-20,-903.2e6\n2025-11-21,238400000\n")
    flows = read_metric(path, FLOWS, XNYS)
    assert flows == [
        word(TWENTIETH, -903.2e6, (TWENTIETH + 1) * DAY + 5 * HOUR),
        word(TWENTIETH + 1, 238.4e6, (TWENTIETH + 2) * DAY + 5 * HOUR),
    ]
    assert [one.known_at for one in read_metric(path, FLOWS)] == [
        (TWENTIETH + 1) * DAY,
        (TWENTIETH + 2) * DAY,
    ]


def test_a_value_that_is_of_an_instant_is_known_then(written: Write) -> None:
    [one] = read_metric(written("as_of,value\n2025-11-20T13:30Z,0\n"), FLOWS)
    assert (one.as_of, one.known_at, one.value) == (TWENTIETH * DAY + 13 * HOUR + 1800, one.as_of, 0.0)


def test_words_of_one_day_are_revisions_and_may_be_provisional(written: Write) -> None:
    text = (
        "value,as_of,final,observed_at\n"
        "-547.7,2025-11-20,false,2025-11-21T02:30Z\n"
        "-903.2,2025-11-20,,2025-11-21T05:00Z\n"
        "-910,2025-11-20,TRUE,1763722800\n"
    )
    midnight = (TWENTIETH + 1) * DAY
    assert read_metric(written(text), FLOWS) == [
        word(TWENTIETH, -547.7, midnight + 2.5 * HOUR, is_final=False),
        word(TWENTIETH, -903.2, midnight + 5 * HOUR, revision=1),
        word(TWENTIETH, -910.0, midnight + 11 * HOUR, revision=2),
    ]


def test_a_day_without_a_value_says_nothing_and_a_zero_does(written: Write) -> None:
    flows = read_metric(written("as_of,value\n2025-11-20,0\n2025-11-21,\n2025-11-24,5\n"), FLOWS)
    assert [one.value for one in flows] == [0.0, 5.0]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("as_of,val\n", "btc.csv lacks value: its first line must be as_of,value."),
        ("as_of,value\n", "btc.csv holds no values."),
        ("as_of,value\n2025-11-20,many\n", 'btc.csv, line 2: value is "many", which is no number.'),
        ("as_of,value\nyesterday,1\n", 'btc.csv, line 2: as_of is "yesterday", which is no time'),
        ("as_of,value\n2025-11-20,1\n2025-11-20,2\n", "btc.csv, line 3: it says the same as_of again;"),
        ("as_of,value\n2025-11-20,1\n2025-11-19,2\n", "btc.csv, line 3: lines must rise by as_of,"),
        (
            "as_of,value,final\n2025-11-20,1,maybe\n",
            'btc.csv, line 2: final is "maybe"; write true or false.',
        ),
        (
            "as_of,value,observed_at\n2025-11-20,1,2025-11-19\n",
            "btc.csv, line 2: observed_at is before as_of.",
        ),
    ],
)
def test_a_bad_metric_is_refused_in_one_sentence(written: Write, text: str, what: str) -> None:
    with pytest.raises(BadFile) as refused:
        read_metric(written(text), FLOWS)
    assert str(refused.value).startswith(what)


# --- both ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("btc", BTC),
        ("BTC/USDT", BTC),
        ("eth", ETH),
        ("btc/usd@kraken", MetricKey("price", "btc/usd", "kraken")),
        ("etf_flow(btc)", FLOWS),
    ],
)
def test_a_series_is_named_as_in_rules(text: str, key: MetricKey) -> None:
    found, _, is_metric = series_of(text, "usdt")
    assert (found, is_metric) == (key, key == FLOWS)


@pytest.mark.parametrize(
    "text", ["rsi(btc, 14, 4h)", "btc > 5 and eth", "zec / btc", "streak(etf_flow(btc))"]
)
def test_what_is_computed_of_a_series_is_no_series(text: str) -> None:
    with pytest.raises(Unfit, match="is no series"):
        series_of(text, "usdt")


def test_files_are_given_by_the_series_that_they_hold(tmp_path: Path) -> None:
    candles, flows = tmp_path / "c=d.csv", tmp_path / "flows.csv"
    candles.write_text(hours(0, 1))
    flows.write_text("as_of,value\n2025-11-20,1\n")
    past = read_history([f"btc={candles}", f"etf_flow(btc)={flows}"], "usdt")
    assert list(past.bars) == [BTC]
    assert list(past.bars[BTC]) == [bar(0), bar(1)]
    assert [one.known_at for one in past.values[FLOWS]] == [(TWENTIETH + 1) * DAY + 5 * HOUR]


def test_an_index_may_be_given_in_candles(tmp_path: Path) -> None:
    file = tmp_path / "spx.csv"
    rows = (f"{TWENTIETH * DAY + place * HOUR},1,{place + 1},1,{place + 1},0\n" for place in (22, 23, 24, 25))
    file.write_text(HEAD + "".join(rows))
    past = read_history([f"spx={file}"], "usdt")
    assert past.bars == {}
    [(key, values)] = past.values.items()
    assert key == MetricKey("price", "spx")
    assert [(one.as_of, one.value, one.known_at) for one in values] == [
        (TWENTIETH * DAY, 24.0, (TWENTIETH + 1) * DAY),
        ((TWENTIETH + 1) * DAY, 26.0, (TWENTIETH + 1) * DAY + 2 * HOUR),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "spx",
        "$nvda",
        "long_share(btc)",
        "basis(btc)",
        "funding(btc)",
        "open_interest(btc)",
        "liquidations(all, 24h)",
        "stablecoin_supply()",
        "exchange_stablecoins()",
        "fear_greed()",
        "hashrate()",
        "fees()",
        "rate_cut()",
        "treasury(sqns)",
        "metric(whale_btc)",
        "etf_flow_total(btc)",
    ],
)
def test_every_metric_of_the_language_may_be_given(text: str) -> None:
    _, _, is_metric = series_of(text, "usdt")
    assert is_metric


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (["x.csv"], "Data is given as KEY=FILE.csv"),
        (["btc=c.csv", "btc/usdt=c.csv"], "Data for btc/usdt is given twice"),
    ],
)
def test_data_that_is_not_given_as_it_should_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.csv").write_text(hours(0, 1))
    with pytest.raises(Unfit, match=what):
        read_history(given, "usdt")
