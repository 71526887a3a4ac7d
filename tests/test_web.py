"""Health, readiness and gauges over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import gauges
from bot.web import serve

Site = tuple[str, list[str]]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    reasons: list[str] = []
    async with serve("127.0.0.1", 0, lambda: reasons) as port:
        yield f"http://127.0.0.1:{port}", reasons


async def ask(address: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_a_living_bot_is_healthy_even_when_it_is_not_ready(site: Site) -> None:
    root, reasons = site
    reasons.append("binance brings no data: it is down")
    assert (await ask(root + "/healthz"))[0] == 200


async def test_readiness_names_each_reason_and_returns_when_they_are_gone(site: Site) -> None:
    root, reasons = site
    assert (await ask(root + "/readyz"))[0] == 200
    reasons += ["binance brings no data: it is down", "kraken brings no data: it was not asked yet"]
    status, _, text = await ask(root + "/readyz")
    assert status == 503
    assert text.splitlines() == reasons
    reasons.clear()
    assert (await ask(root + "/readyz"))[0] == 200


async def scrape(root: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    status, kind, text = await ask(root + "/metrics")
    assert status == 200
    assert kind == gauges.CONTENT_TYPE
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_what_is_counted_is_scraped(site: Site) -> None:
    root, _ = site
    gauges.count_poll("tape", 0.3, 1_762_948_800.0)
    gauges.count_poll("tape", 12.0, None)
    gauges.count_observations("tape", minutes=5, prices=2, values=0)
    gauges.count_verdicts(3)
    gauges.count_transitions("ring", 1)
    gauges.count_delivery("carrier", "sent")
    gauges.count_delivery("carrier", "sent")
    gauges.observe_delay("carrier", 4.0)
    gauges.observe_delay("carrier", -1.0)
    gauges.show_outbox_age("carrier", 7.5)
    found = await scrape(root)

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert value("tocsin_polls_total", source="tape", outcome="ok") == 1
    assert value("tocsin_polls_total", source="tape", outcome="failed") == 1
    assert value("tocsin_poll_seconds_count", source="tape") == 2
    assert value("tocsin_feed_seen_timestamp_seconds", source="tape") == 1_762_948_800.0
    assert value("tocsin_observations_total", source="tape", kind="minute") == 5
    assert value("tocsin_observations_total", source="tape", kind="price") == 2
    assert value("tocsin_verdicts_total") >= 3
    assert value("tocsin_transitions_total", kind="ring") >= 1
    assert value("tocsin_deliveries_total", platform="carrier", outcome="sent") == 2
    assert value("tocsin_delivery_delay_seconds_count", platform="carrier") == 2
    assert value("tocsin_delivery_delay_seconds_bucket", platform="carrier", le="5.0") == 2
    assert value("tocsin_delivery_delay_seconds_bucket", platform="carrier", le="2.5") == 1
    assert value("tocsin_outbox_oldest_age_seconds", platform="carrier") == 7.5


async def test_other_addresses_are_not_served(site: Site) -> None:
    assert (await ask(site[0] + "/"))[0] == 404


async def test_an_address_that_is_taken_is_an_error_at_once(site: Site) -> None:
    port = int(site[0].rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        async with serve("127.0.0.1", port, list):
            pass


async def test_the_address_is_free_again_afterwards() -> None:
    async with serve("127.0.0.1", 0, list) as port:
        pass
    async with serve("127.0.0.1", port, list) as again:
        assert again == port
