"""What the operator writes is read from three places, and a wrong value is one sentence that names it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from bot.feeds.exchanges.table import FEEDS
from bot.settings import Address, Settings, SettingsError, load_settings, variable
from bot.store import path_of

TOKEN = "123456789:AAE-x_yz0123456789abcdefghijklmnop"
ROOT = Path(__file__).parent.parent

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load with these variables alone, and what the test put into the folder."""
    for name in [name for name in os.environ if name.upper().startswith(("TOCSIN_", "KUBERNETES_"))]:
        monkeypatch.delenv(name)

    def load(**variables: str) -> Settings:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            folders = [tmp_path / "run", tmp_path / "secrets"]
            return load_settings(FEEDS, tmp_path / ".env", folders, ("alternative.me", "sosovalue"))

    return load


def test_nothing_configured_is_a_deployment_on_the_console(load: Load) -> None:
    assert load() == Settings()
    assert load().telegram_token is None
    assert load().exchanges == ("binance", "kraken")
    assert load().http is None
    assert load().stream


def test_every_variable_is_read(load: Load) -> None:
    assert load(
        TOCSIN_TELEGRAM_TOKEN=TOKEN,
        TOCSIN_TELEGRAM_API="http://localhost:8081/",
        TOCSIN_TELEGRAM_WEBHOOK="http://localhost:8080/telegram/",
        TOCSIN_TELEGRAM_PER_SECOND="25",
        TOCSIN_TELEGRAM_PER_CHAT="0.5",
        TOCSIN_TELEGRAM_PER_GROUP="18",
        TOCSIN_TELEGRAM_PAID="1000",
        TOCSIN_DISCORD_PER_SECOND="40",
        TOCSIN_DISCORD_TOKEN="MTIz.abc.def-ghi",
        TOCSIN_DISCORD_API="http://localhost:8082/api/v10",
        TOCSIN_DISCORD_GATEWAY="ws://localhost:8082/gateway",
        TOCSIN_DATABASE_URL="sqlite:////data/tocsin.db",
        TOCSIN_EXCHANGES=" Kraken, binance ,kraken,",
        TOCSIN_FEED_GATEWAY="https://gateway.example/x/",
        TOCSIN_PROVIDERS="Alternative.me, sosovalue",
        TOCSIN_SOSOVALUE_KEY="soso-key-1234",
        TOCSIN_COINGLASS_KEY="glass-key-1234",
        TOCSIN_COINALYZE_KEY="alyze-key-1234",
        TOCSIN_COINGECKO_KEY="gecko-key-1234",
        TOCSIN_FARSIDE=" On ",
        TOCSIN_METRICS_DIR=str(ROOT),
        TOCSIN_PUSH_TOKEN="0123456789abcdef",
        TOCSIN_QUOTE="USD",
        TOCSIN_POLL_SECONDS="2.5",
        TOCSIN_STREAM="0",
        TOCSIN_ADMINS="telegram:123, discord:456",
        TOCSIN_HTTP="[::1]:8080",
    ) == Settings(
        telegram_token=SecretStr(TOKEN),
        telegram_api="http://localhost:8081",
        telegram_webhook="http://localhost:8080/telegram",
        telegram_per_second=25,
        telegram_per_chat=0.5,
        telegram_per_group=18,
        telegram_paid=1000,
        discord_per_second=40,
        discord_token=SecretStr("MTIz.abc.def-ghi"),
        discord_api="http://localhost:8082/api/v10",
        discord_gateway="ws://localhost:8082/gateway",
        database_url="sqlite+aiosqlite:////data/tocsin.db",
        exchanges=("kraken", "binance"),
        feed_gateway="https://gateway.example/x",
        providers=("alternative.me", "sosovalue"),
        sosovalue_key=SecretStr("soso-key-1234"),
        coinglass_key=SecretStr("glass-key-1234"),
        coinalyze_key=SecretStr("alyze-key-1234"),
        coingecko_key=SecretStr("gecko-key-1234"),
        farside="on",
        metrics_dir=ROOT,
        push_token=SecretStr("0123456789abcdef"),
        quote="usd",
        poll_seconds=2.5,
        stream=False,
        admins=frozenset({("telegram", "123"), ("discord", "456")}),
        http=Address("::1", 8080),
    )


def test_the_environment_goes_before_env_file_before_secrets(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    for name in ("TOCSIN_QUOTE", "TOCSIN_POLL_SECONDS", "TOCSIN_EXCHANGES"):
        (tmp_path / "secrets" / name).write_text("3\n" if "SECONDS" in name else "okx\n")
    (tmp_path / ".env").write_text("TOCSIN_QUOTE=eur\nTOCSIN_POLL_SECONDS=4\nOTHER=1\n")
    read = load(TOCSIN_QUOTE="gbp")
    assert (read.quote, read.poll_seconds, read.exchanges) == ("gbp", 4.0, ("okx",))


def test_the_address_of_nats_is_checked_and_its_password_is_a_secret(load: Load) -> None:
    server = {"TOCSIN_DATABASE_URL": "postgresql://ann@db/tocsin"}
    for url, secret in (
        ("nats://ann:long-word@nats:4222", "long-word"),
        ("tls://long-token@nats", "long-token"),
    ):
        settings = load(TOCSIN_NATS_URL=url, TOCSIN_ROLES="feed", **server)
        assert secret in set(settings.secrets())
        assert secret not in repr(settings)
    for wrong in ("http://nats", "nats://", "nats://nats:port", "nats://nats/stream"):
        with pytest.raises(SettingsError, match="TOCSIN_NATS_URL is no address of a NATS server: write"):
            load(TOCSIN_NATS_URL=wrong, **server)
    with pytest.raises(SettingsError, match="TOCSIN_NATS_URL needs TOCSIN_DATABASE_URL"):
        load(TOCSIN_NATS_URL="nats://nats:4222")


def test_some_roles_alone_need_what_carries_prices_between_processes(load: Load) -> None:
    assert load(TOCSIN_ROLES=" chat, engine,feed").roles == ("feed", "engine", "chat")
    for roles, sentence in (
        ("feed", "TOCSIN_ROLES names some roles alone, which needs TOCSIN_NATS_URL: .* feed,engine,chat"),
        (
            "feed,engin",
            "TOCSIN_ROLES has a part that is no role .part 2.: write feed, engine and .*",
        ),
        (",", "TOCSIN_ROLES names no role: write feed, .*"),
    ):
        with pytest.raises(SettingsError, match=f"^{sentence}\\.$"):
            load(TOCSIN_ROLES=roles)


def test_each_sender_has_to_have_room_for_what_goes_whenever_it_likes(load: Load) -> None:
    divided = {"TOCSIN_DATABASE_URL": "postgresql://db/tocsin", "TOCSIN_NATS_URL": "nats://nats:4222"}
    telegram, discord = {"TOCSIN_TELEGRAM_TOKEN": TOKEN}, {"TOCSIN_DISCORD_TOKEN": "MTIz.abc.def-ghi"}
    assert load(TOCSIN_SENDERS="15", **telegram, **divided).senders == 15
    for variables, name, most in (
        ({**telegram, "TOCSIN_SENDERS": "16"}, "TELEGRAM", 15),
        ({**telegram, "TOCSIN_TELEGRAM_PER_SECOND": "1"}, "TELEGRAM", 1),
        ({**discord, "TOCSIN_SENDERS": "9", "TOCSIN_DISCORD_PER_SECOND": "10"}, "DISCORD", 5),
    ):
        sentence = (
            "TOCSIN_SENDERS leaves each of them fewer than 2 of the messages a second that "
            f"TOCSIN_{name}_PER_SECOND allows: write {most}."
        )
        with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}$"):
            load(**variables, **divided)
        assert load(**variables).nats_url is None, "one process alone divides nothing"
    assert load(TOCSIN_SENDERS="1", TOCSIN_TELEGRAM_PER_SECOND="1", **telegram, **divided).senders == 1


def test_what_seals_words_between_processes_is_the_same_with_the_same_tokens_and_tells_none(
    load: Load,
) -> None:
    one = load(TOCSIN_TELEGRAM_TOKEN=TOKEN)
    assert one.seal_key == load(TOCSIN_TELEGRAM_TOKEN=TOKEN, TOCSIN_QUOTE="usdc").seal_key
    assert one.seal_key != load(TOCSIN_DISCORD_TOKEN="MTIz.abc.def-ghi").seal_key
    assert len(one.seal_key) == 32
    assert TOKEN.encode() not in one.seal_key


def test_a_token_may_be_a_mounted_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tocsin_telegram_token").write_text(TOKEN + "\n")
    token = load().telegram_token
    assert token is not None
    assert token.get_secret_value() == TOKEN


def test_an_empty_variable_is_not_set(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOCSIN_TELEGRAM_TOKEN=\nTOCSIN_QUOTE=\n")
    assert load(TOCSIN_POLL_SECONDS="", TOCSIN_HTTP="") == Settings()


def test_health_can_be_turned_off(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOCSIN_HTTP=127.0.0.1:8080\n")
    assert load().http == Address("127.0.0.1", 8080)
    assert load(TOCSIN_HTTP="off").http is None


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TELEGRAM_TOKEN", "Bot 12", "is no bot token: write the token that @BotFather gave"),
        ("DISCORD_TOKEN", "Bot MTIz.abc.def", "without 'Bot ' before it"),
        (
            "TELEGRAM_API",
            "localhost:8081",
            "is no address: write the root of a Bot API server, such as http://",
        ),
        ("DISCORD_API", "http://h:99999/api", "is no address"),
        ("DISCORD_API", "http://h/api?token=1", "has a ? or # part"),
        ("DISCORD_GATEWAY", "http://localhost/", "such as ws://"),
        ("FEED_GATEWAY", "http://[::1", "is no address"),
        ("PROVIDERS", "sosovalu", "names sosovalu, which Tocsin cannot watch: did you mean sosovalue?"),
        ("PROVIDERS", ",", "names nothing"),
        ("SOSOVALUE_KEY", "key with blanks", "is no API key: write the API key of your account"),
        ("COINGLASS_KEY", "short", "is no API key"),
        ("FARSIDE", "/no/such/folder", "is no folder that exists: write on, or a folder"),
        ("METRICS_DIR", "/no/such/folder", "is no folder that exists"),
        ("HEARTBEAT_URL", "watch.example.com/5b1e", "is no address: write the address that is to be asked"),
        ("HEARTBEAT_URL", "ftp://watch.example.com/5b1e", "is no address"),
        ("PUSH_TOKEN", "secret", "is no token that is long enough"),
        ("PUSH_TOKEN", "0123456789abcdef", "needs TOCSIN_HTTP: write host:port there"),
        (
            "DATABASE_URL",
            "mysql://localhost/tocsin",
            "is no SQLite file, and no database of a PostgreSQL server",
        ),
        ("DATABASE_URL", "postgresql://ann:secret@localhost", "is no SQLite file, and no database"),
        ("DATABASE_URL", "postgresql://ann:secret@/tocsin", "names no host: write sqlite:///"),
        (
            "DATABASE_URL",
            "postgresql://localhost/tocsin?password=x",
            "has a word behind its ? that is none of",
        ),
        ("DATABASE_URL", "postgresql://localhost/tocsin#secret", "is no SQLite file"),
        ("DATABASE_URL", "sqlite:///:memory:", "is no SQLite file"),
        ("EXCHANGES", ",", "names nothing"),
        ("EXCHANGES", "kraken,binnance", "names binnance, which Tocsin cannot watch: did you mean binance?"),
        ("EXCHANGES", "nowhere", "write one of binance, bybit, coinbase, kraken, okx."),
        ("EXCHANGES", "kraken,b n", "has a part that is no name (part 2)"),
        ("QUOTE", "us dollar", "is no fiat or stable currency"),
        ("QUOTE", "btc", "is no fiat or stable currency"),
        ("POLL_SECONDS", "five", "is no number: write the seconds"),
        ("POLL_SECONDS", "0", "is out of its range"),
        ("POLL_SECONDS", "nan", "is out of its range"),
        ("TELEGRAM_PER_SECOND", "28.5", "is no whole number: write the messages a second in all"),
        ("TELEGRAM_PER_CHAT", "0", "is out of its range: write the messages a second that a chat takes"),
        ("TELEGRAM_PER_GROUP", "many", "is no number: write the messages a minute"),
        ("TELEGRAM_PAID", "on", "is no number: write the messages a second in all where"),
        (
            "TELEGRAM_PAID",
            "30",
            "must be above TOCSIN_TELEGRAM_PER_SECOND, which is free: write 1000, or off",
        ),
        ("DISCORD_PER_SECOND", "0", "is out of its range: write the messages a second in all"),
        ("STREAM", "perhaps", "is neither on nor off: write 1 to read trades as they happen, or 0"),
        ("ADMINS", "telegram:1,me", "has a part that names nobody (part 2)"),
        ("HTTP", "8080", "is no host and port: write host:port"),
        ("HTTP", "localhost:70000", "is no host and port"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_it(
    load: Load, name: str, value: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**{"TOCSIN_" + name: value})
    text = str(caught.value)
    assert text.startswith(f"TOCSIN_{name} ")
    assert sentence in text
    assert "secret" not in text
    assert text[-1] in ".?"
    assert "\n" not in text


@pytest.mark.parametrize(
    ("url", "read", "secrets"),
    [
        ("postgresql://localhost/tocsin", "postgresql+asyncpg://localhost/tocsin", set()),
        (
            " postgres://ann:p%40ss-word@[::1]:5433/tocsin?sslmode=require ",
            "postgresql+asyncpg://ann:p%40ss-word@[::1]:5433/tocsin?sslmode=require",
            {":p%40ss-word@", "p%40ss-word", ":p@ss-word@", "p@ss-word"},
        ),
        (
            "postgresql+asyncpg://ann:ok@/tocsin?host=/run/postgresql",
            "postgresql+asyncpg://ann:ok@/tocsin?host=/run/postgresql",
            {":ok@"},
        ),
    ],
)
def test_a_database_may_be_a_servers_and_its_password_is_a_secret(
    load: Load, url: str, read: str, secrets: set[str]
) -> None:
    settings = load(TOCSIN_DATABASE_URL=url)
    assert settings.database_url == read
    assert set(settings.secrets()) == secrets
    assert "word" not in repr(settings)
    assert path_of(settings.database_url) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    field=st.sampled_from(sorted(Settings.model_fields)),
    value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=80),
)
def test_any_text_is_taken_or_refused_in_one_sentence(load: Load, field: str, value: str) -> None:
    try:
        load(**{variable(field): value})
    except SettingsError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("field", sorted(set(Settings.model_fields) - {"telegram_token"}))
def test_a_token_in_the_wrong_place_is_not_repeated(load: Load, field: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**{variable(field): f" {TOKEN} x"})
    assert TOKEN not in str(caught.value)
    assert TOKEN.lower() not in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_token_shows_in_the_settings(load: Load) -> None:
    read = load(
        TOCSIN_TELEGRAM_TOKEN=TOKEN,
        TOCSIN_DISCORD_TOKEN="MTIz.abc.def-ghi",
        TOCSIN_FEED_GATEWAY="http://u:pw@h",
    )
    shown = f"{read!r} {read}"
    assert TOKEN not in shown
    assert "MTIz" not in shown
    assert "pw" not in shown
    assert set(read.secrets()) == {TOKEN, "MTIz.abc.def-ghi"}


@pytest.mark.parametrize("place", ["environment", ".env", "secrets"])
def test_a_misspelt_variable_is_named_with_the_nearest(load: Load, tmp_path: Path, place: str) -> None:
    variables = {}
    if place == "environment":
        variables = {"TOCSIN_TELEGRAM_TOKN": TOKEN}
    elif place == ".env":
        (tmp_path / ".env").write_text(f"TOCSIN_TELEGRAM_TOKN={TOKEN}\n")
    else:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "TOCSIN_TELEGRAM_TOKN").write_text(TOKEN)
    with pytest.raises(SettingsError) as caught:
        load(**variables)
    assert (
        str(caught.value)
        == "TOCSIN_TELEGRAM_TOKN is no setting of Tocsin: did you mean TOCSIN_TELEGRAM_TOKEN?"
    )


def test_what_kubernetes_says_of_a_service_is_no_setting(load: Load) -> None:
    links = {
        "TOCSIN_SERVICE_HOST": "10.0.0.1",
        "TOCSIN_PORT": "tcp://10.0.0.1:80",
        "TOCSIN_PORT_80_TCP_PROTO": "tcp",
    }
    assert load(KUBERNETES_SERVICE_HOST="10.0.0.1", **links) == Settings()
    with pytest.raises(SettingsError, match="TOCSIN_PORT is no setting"):
        load(TOCSIN_PORT="8080")


def test_a_secret_that_leads_elsewhere_is_refused_not_skipped(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "elsewhere").write_text(TOKEN)
    (tmp_path / "secrets" / "TOCSIN_TELEGRAM_TOKEN").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="secret file") as caught:
        load()
    assert TOKEN not in str(caught.value)


def test_a_file_that_is_no_text_is_refused_in_one_sentence(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"TOCSIN_QUOTE=\xff\xfe\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        load()
    (tmp_path / ".env").unlink()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "TOCSIN_QUOTE").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="secret file"):
        load()


def test_a_file_that_windows_wrote_is_read(load: Load, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfTOCSIN_QUOTE=eur\r\nTOCSIN_POLL_SECONDS=7\r\n")
    assert (load().quote, load().poll_seconds) == ("eur", 7.0)


def test_settings_made_of_values_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_TELEGRAM_TOKEN", TOKEN)
    assert Settings(quote="usd").telegram_token is None
    with pytest.raises(ValidationError):
        Settings(quote="usd").quote = "eur"  # type: ignore[misc]


def test_the_example_names_every_variable_once_and_sets_none() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    names = [match[1] for line in lines if (match := re.match(r"#(TOCSIN_\w+)=", line))]
    assert sorted(names) == sorted(variable(field) for field in Settings.model_fields)
    assert not [line for line in lines if line.startswith("TOCSIN_")]


def test_the_example_can_be_used_as_it_stands(load: Load, tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    (tmp_path / ".env").write_text(example)
    assert load() == Settings()
    (tmp_path / ".env").write_text(re.sub(r"^#(TOCSIN_(?!\w+_TOKEN)\w+=.+)$", r"\1", example, flags=re.M))
    read = load()
    assert read.exchanges[0] == "binance"
    assert read.admins


def test_providers_read_what_is_set_and_the_log_redacts_every_key(load: Load) -> None:
    read = load(TOCSIN_SOSOVALUE_KEY="soso-key-1234", TOCSIN_FARSIDE="on", TOCSIN_PROVIDERS="off")
    assert read.for_providers() == {"TOCSIN_SOSOVALUE_KEY": "soso-key-1234", "TOCSIN_FARSIDE": "on"}
    assert list(read.secrets()) == ["soso-key-1234"]
    assert read.providers == ()
    assert "soso-key" not in repr(read)


HOOK = {"TOCSIN_TELEGRAM_TOKEN": TOKEN, "TOCSIN_HTTP": "127.0.0.1:8080"}
EXAMPLE = "the public address at which Telegram reaches the bot, such as https://bot.example.com/telegram"


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("bot.example.com/telegram", "is no address"),
        ("ftp://bot.example.com/telegram", "is no address"),
        ("https://bot.example.com/telegram?a=1", "has a ? or # part"),
        ("https://me:pw@bot.example.com/telegram", "has a name or a password before its host"),
        ("https://bot.example.com", "has no path of its own"),
        ("https://bot.example.com/{token}", "has no path of its own"),
        ("https://bot.example.com/metrics", "has the path of a page that the bot has already"),
        ("https://bot.example.com/observations/x", "has the path of a page that the bot has already"),
        ("http://bot.example.com/telegram", "begins with http:"),
        ("https://bot.example.com:8080/telegram", "has a port to which Telegram does not deliver (it"),
        ("https://localhost/telegram", "names a host that Telegram cannot find"),
        ("https://bot.local/telegram", "names a host that Telegram cannot find"),
        ("https://192.168.1.2/telegram", "names an address that Telegram cannot reach"),
        ("https://[2001:4860:4860::8888]/telegram", "names an address that Telegram cannot reach"),
    ],
)
def test_an_address_to_which_telegram_cannot_deliver_is_one_sentence(
    load: Load, address: str, wrong: str
) -> None:
    with pytest.raises(SettingsError) as said:
        load(**HOOK, TOCSIN_TELEGRAM_WEBHOOK=address)
    sentence = str(said.value)
    assert sentence.startswith(f"TOCSIN_TELEGRAM_WEBHOOK {wrong}")
    assert sentence.endswith(f": write {EXAMPLE}.")
    assert sentence.count("\n") == 0


def test_a_webhook_needs_a_token_and_a_port_and_its_secret_tells_nothing_of_the_token(load: Load) -> None:
    url = "https://bot.example.com:8443/telegram"
    for name in HOOK:
        given = {other: value for other, value in HOOK.items() if other != name}
        with pytest.raises(SettingsError, match=f"TOCSIN_TELEGRAM_WEBHOOK needs {name}: write"):
            load(**given, TOCSIN_TELEGRAM_WEBHOOK=url)
    read = load(**HOOK, TOCSIN_TELEGRAM_WEBHOOK=url)
    assert re.fullmatch("[0-9a-f]{64}", read.telegram_secret)
    assert read.telegram_secret in set(read.secrets())
    assert read.telegram_secret not in repr(read) and url not in repr(read)
    others = [
        load(**HOOK, TOCSIN_TELEGRAM_WEBHOOK=f"{url}2"),
        load(**(HOOK | {"TOCSIN_TELEGRAM_TOKEN": TOKEN[:-1] + "q"}), TOCSIN_TELEGRAM_WEBHOOK=url),
    ]
    assert len({read.telegram_secret, *(other.telegram_secret for other in others)}) == 3
    assert load(**HOOK).telegram_secret == ""
    assert load(**HOOK, TOCSIN_TELEGRAM_WEBHOOK="https://8.8.8.8:88/telegram").telegram_secret
