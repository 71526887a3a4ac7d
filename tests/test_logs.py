"""No token in any line of the log, whoever writes it and however."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.logs import Redaction, configure_logging

TELEGRAM = "123456789:AAE-x_yz0123456789abcdefghijklmnop"
DISCORD = "MTIzNDU2Nzg5.Gabcde.abcdefghijklmnopqrstuvwxyz0"
URL = f"https://api.telegram.org/bot{TELEGRAM}/getMe"
ANY = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


@pytest.fixture(params=[True, False], ids=["json", "console"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging([DISCORD], json=request.param)
    return stream.getvalue


def fail_with(text: str) -> None:
    raise RuntimeError(text)


def test_a_token_in_an_event_a_field_or_a_traceback_is_redacted(written: Callable[[], str]) -> None:
    log = structlog.get_logger("tocsin.test")
    log.info(f"asking {URL}", nested={"deep": [URL, ("x", DISCORD)]}, place=URL)
    try:
        fail_with(f"no answer from {URL} for {DISCORD}")
    except RuntimeError:
        log.exception("failed", token=TELEGRAM)
    text = written()
    assert "RuntimeError" in text
    assert "fail_with" in text
    assert text.count("[redacted]") >= 6
    assert TELEGRAM not in text
    assert DISCORD not in text


@pytest.mark.parametrize(
    "name", ["httpx", "telegram.ext", "discord.gateway", "apscheduler", "aiohttp.access", "else"]
)
def test_a_token_that_a_library_logs_is_redacted(written: Callable[[], str], name: str) -> None:
    logging.getLogger(name).error("HTTP Request: GET %s", URL, extra={"address": URL})
    try:
        fail_with(URL)
    except RuntimeError:
        logging.getLogger(name).exception("broken with %s", DISCORD)
    text = written()
    assert "HTTP Request" in text
    assert TELEGRAM not in text
    assert DISCORD not in text


def test_an_error_that_ends_the_process_is_redacted(written: Callable[[], str]) -> None:
    error = RuntimeError(URL)
    sys.excepthook(type(error), error, None)
    text = written()
    assert "ended by an error" in text
    assert TELEGRAM not in text


def test_a_log_call_that_fails_prints_nothing(written: Callable[[], str]) -> None:
    logging.getLogger("else").error("%d", URL)
    assert TELEGRAM not in written()


def test_requests_of_libraries_are_not_told_at_info(written: Callable[[], str]) -> None:
    logging.getLogger("httpx").info("HTTP Request")
    logging.getLogger("bot.app").info("begun")
    text = written()
    assert "HTTP Request" not in text
    assert "begun" in text


def test_a_line_is_one_json_object_where_nobody_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging()
    structlog.get_logger("bot.watch").warning("late", source="binance", behind=3.5)
    [line] = stream.getvalue().splitlines()
    event = json.loads(line)
    assert event.items() >= {"event": "late", "source": "binance", "behind": 3.5, "level": "warning"}.items()
    assert event["timestamp"].endswith("Z")


def test_passwords_in_addresses_are_redacted() -> None:
    assert Redaction()("wss://user:pa%20ss@host/x, http://h/a@b") == "wss://[redacted]@host/x, http://h/a@b"


@given(
    st.from_regex(r"\A[0-9]{6,12}:[A-Za-z0-9_-]{10,40}\Z"),
    st.text(st.characters(exclude_categories=["Nd"])),
    st.text(),
)
def test_no_telegram_token_survives_in_any_text(token: str, before: str, after: str) -> None:
    assert token not in Redaction()(before + token + after)


@given(st.lists(st.text(ANY, min_size=3), min_size=1, max_size=3), st.text(ANY))
def test_no_secret_of_the_deployment_survives_in_any_text(secrets: list[str], text: str) -> None:
    redacted = Redaction(secrets)(text.join(secrets))
    for secret in secrets:
        assert secret not in redacted.replace("[redacted]", "\0")
