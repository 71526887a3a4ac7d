"""What the operator decides: environment, ``.env`` and secret files, read once into one frozen value.

The environment goes before ``.env``, and ``.env`` before files in ``secrets/`` or ``/run/secrets`` that bear
a variable's name. A wrong value stops the start with one sentence that names the variable and says what to
write; no sentence repeats what may be a secret.
"""

from __future__ import annotations

import hmac
import os
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as SourceError

from bot import entries
from bot.duties import ROLES
from bot.entries import Address, Key
from bot.pacing import LIMITS, Limits, discord_limits, telegram_limits

PREFIX = "TOCSIN_"
ENV_FILE = Path(".env")
SECRETS = (Path("/run/secrets"), Path("secrets"))
ENCODING = "utf-8-sig"  # editors on Windows begin a file with a mark

_LEAST_OF_A_SENDER = 2
"""Messages a second: one that goes whenever it likes takes the room of one more."""

# Kubernetes tells every pod where a service named "tocsin" listens; none of it is a setting.
_SERVICE_LINK = re.compile(r"TOCSIN_(SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP|SCTP)\w*)?)")


class SettingsError(Exception):
    """The configuration cannot be used; the text is one sentence for the operator."""


class Settings(BaseModel):
    """One deployment, decided. Made of plain values; reads nothing by itself.

    Each field is the variable ``TOCSIN_`` with its name in capitals; its description is what to write there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    telegram_token: Annotated[SecretStr | None, BeforeValidator(entries.telegram_token)] = Field(
        default=None, description="the token that @BotFather gave, which begins like 123456789:AAE"
    )
    telegram_api: Annotated[str | None, entries.root("http", "https")] = Field(
        default=None, description="the root of a Bot API server, such as http://localhost:8081", repr=False
    )
    telegram_webhook: Annotated[str | None, BeforeValidator(entries.webhook)] = Field(
        default=None,
        description="the public address at which Telegram reaches the bot, such as https://bot.example.com/telegram",
        repr=False,
    )
    telegram_per_second: Annotated[int, BeforeValidator(entries.whole(1, 1000))] = Field(
        default=30, description="the messages a second in all that Telegram takes, from 1 to 1000, such as 30"
    )
    telegram_per_chat: Annotated[float, BeforeValidator(entries.number(0.1, 30))] = Field(
        default=1.0, description="the messages a second that a chat takes, from 0.1 to 30, such as 1"
    )
    telegram_per_group: Annotated[int, BeforeValidator(entries.whole(1, 1000))] = Field(
        default=20, description="the messages a minute that a group takes, from 1 to 1000, such as 20"
    )
    telegram_paid: Annotated[int | None, BeforeValidator(entries.paid)] = Field(
        default=None,
        description="the messages a second in all where what is above the free ones is paid for, from 1 to "
        "1000, such as 1000, or off",
    )
    discord_token: Annotated[SecretStr | None, BeforeValidator(entries.discord_token)] = Field(
        default=None,
        description="the token of the Bot page of Discord's developer portal, without 'Bot ' before it",
    )
    discord_api: Annotated[str | None, entries.root("http", "https")] = Field(
        default=None,
        description="the root of Discord's HTTP API, such as http://localhost:8082/api/v10",
        repr=False,
    )
    discord_gateway: Annotated[str | None, entries.root("ws", "wss")] = Field(
        default=None,
        description="the address of Discord's gateway, such as ws://localhost:8082/gateway",
        repr=False,
    )
    discord_per_second: Annotated[int, BeforeValidator(entries.whole(1, 1000))] = Field(
        default=45, description="the messages a second in all that are sent, below Discord's 50, such as 45"
    )
    database_url: Annotated[str, BeforeValidator(entries.database)] = Field(
        default="sqlite+aiosqlite:///data/tocsin.db",
        description=entries.DATABASE,
        repr=False,
    )
    nats_url: Annotated[SecretStr | None, BeforeValidator(entries.nats)] = Field(
        default=None,
        description="the NATS server over which several processes divide the work, such as nats://localhost:4222",
    )
    partitions: Annotated[int, BeforeValidator(entries.whole(1, 256))] = Field(
        default=4,
        description="into how many parts several processes divide the alerts, from 1 to 256, such as 4",
    )
    senders: Annotated[int, BeforeValidator(entries.whole(1, 64))] = Field(
        default=2,
        description="into how many parts several processes divide the chats of a platform, from 1 to 64, "
        "such as 2",
    )
    roles: Annotated[tuple[str, ...], NoDecode, BeforeValidator(entries.roles)] = Field(
        default=ROLES, description="feed, engine and chat, or some of them with commas between them"
    )
    exchanges: Annotated[tuple[str, ...], NoDecode, BeforeValidator(entries.words)] = Field(
        default=("binance", "kraken"),
        description="names with commas between them, the default first, such as binance,kraken",
    )
    feed_gateway: Annotated[str | None, entries.root("http", "https")] = Field(
        default=None,
        description="the root of a gateway to exchanges and providers, such as http://localhost:8083",
        repr=False,
    )
    providers: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(entries.providers)] = Field(
        default=None, description="names with commas between them, such as sosovalue,yahoo, or off"
    )
    sosovalue_key: Key = Field(default=None, description="the API key of your account at sosovalue.com")
    coinglass_key: Key = Field(default=None, description="the API key of your plan at coinglass.com")
    coinalyze_key: Key = Field(default=None, description="the API key of your account at coinalyze.net")
    coingecko_key: Key = Field(default=None, description="the demo API key of your account at coingecko.com")
    farside: Annotated[str | None, BeforeValidator(entries.farside)] = Field(
        default=None, description="on, or a folder of saved pages named btc.html, eth.html and sol.html"
    )
    metrics_dir: Annotated[Path | None, BeforeValidator(entries.folder)] = Field(
        default=None, description="an existing folder of CSV files, such as data/metrics"
    )
    playbooks_dir: Annotated[Path | None, BeforeValidator(entries.folder)] = Field(
        default=None, description="an existing folder of playbooks, each a .toml file, such as data/playbooks"
    )
    quote: Annotated[str, BeforeValidator(entries.currency)] = Field(
        default="usdt", description="the currency that prices are in where none is named, such as usdt"
    )
    poll_seconds: Annotated[float, BeforeValidator(entries.number(1, 3600))] = Field(
        default=5.0,
        description="the seconds from one look at an exchange to the next, from 1 to 3600, such as 5",
    )
    stream: Annotated[bool, BeforeValidator(entries.switch)] = Field(
        default=True, description="1 to read trades as they happen, or 0 to look for prices only"
    )
    admins: Annotated[frozenset[tuple[str, str]], NoDecode, entries.named(entries.PERSONS)] = Field(
        default=frozenset({("console", "me")}),
        description="the numbers of persons, such as telegram:123456789,discord:987654321",
    )
    allow: Annotated[frozenset[tuple[str, str]], NoDecode, entries.named(entries.PLACES)] = Field(
        default=frozenset(),
        description="the numbers of persons, groups and servers, such as telegram:-1001234567890",
    )
    http: Annotated[Address | None, NoDecode, BeforeValidator(entries.address)] = Field(
        default=None, description="host:port, such as 127.0.0.1:8080, or off"
    )
    heartbeat_url: Annotated[SecretStr | None, BeforeValidator(entries.secret_address)] = Field(
        default=None,
        description="the address that is to be asked, such as https://watch.example.com/ping/TOKEN",
    )
    push_token: Annotated[SecretStr | None, BeforeValidator(entries.push_token)] = Field(
        default=None,
        description="at least 16 letters and digits of your own making, with TOCSIN_HTTP set too",
    )

    @model_validator(mode="after")
    def _can_divide(self) -> Self:
        if self.roles != ROLES and self.nats_url is None:
            raise ValueError(
                f"{variable('roles')} names some roles alone, which needs {variable('nats_url')}: without "
                f"it one process does all, so write {','.join(ROLES)}"
            )
        return self

    @model_validator(mode="after")
    def _has_enough_for_each_sender(self) -> Self:
        if self.nats_url is None or self.senders == 1:
            return self
        for name in ("telegram", "discord"):
            most = max(1, getattr(self, f"{name}_per_second") // _LEAST_OF_A_SENDER)
            if getattr(self, f"{name}_token") is not None and self.senders > most:
                raise ValueError(
                    f"{variable('senders')} leaves each of them fewer than {_LEAST_OF_A_SENDER} of the "
                    f"messages a second that {variable(f'{name}_per_second')} allows: write {most}"
                )
        return self

    @model_validator(mode="after")
    def _has_a_port_to_push_to(self) -> Self:
        if self.push_token is not None and self.http is None:
            raise ValueError(f"{variable('push_token')} needs {variable('http')}: write host:port there")
        return self

    @model_validator(mode="after")
    def _shares_a_server(self) -> Self:
        if self.nats_url is not None and self.database_url.startswith("sqlite"):
            name = variable("database_url")
            raise ValueError(
                f"{variable('nats_url')} needs {name}: write postgresql://user:password@host/name"
            )
        return self

    @model_validator(mode="after")
    def _can_be_delivered_to(self) -> Self:
        if self.telegram_webhook is None:
            return self
        name = variable("telegram_webhook")
        if self.telegram_token is None:
            raise ValueError(f"{name} needs {variable('telegram_token')}: write what @BotFather gave there")
        if self.http is None:
            raise ValueError(f"{name} needs {variable('http')}: write host:port there")
        if self.telegram_api is None:  # a Bot API server of one's own delivers anywhere
            try:
                entries.check_delivery(self.telegram_webhook)
            except ValueError as error:
                example = type(self).model_fields["telegram_webhook"].description
                raise ValueError(f"{name} {error}: write {example}") from None
        return self

    @property
    def telegram_secret(self) -> str:
        """Give what Telegram shows at the webhook: nobody can guess it who does not know the token.

        It says nothing of the token, and is another one for another address.
        """
        if self.telegram_token is None or self.telegram_webhook is None:
            return ""
        token = self.telegram_token.get_secret_value().encode()
        return hmac.new(token, f"webhook {self.telegram_webhook}".encode(), "sha256").hexdigest()

    @property
    def seal_key(self) -> bytes:
        """Give what seals the words that processes hand on in somebody's name; it tells no token."""
        tokens = (token for token in (self.telegram_token, self.discord_token) if token is not None)
        secret = "\n".join(token.get_secret_value() for token in tokens)
        return hmac.digest(secret.encode(), b"handed on", "sha256")

    @model_validator(mode="after")
    def _pays_for_more_than_is_free(self) -> Self:
        if self.telegram_paid is not None and self.telegram_paid <= self.telegram_per_second:
            free, paid = variable("telegram_per_second"), variable("telegram_paid")
            raise ValueError(f"{paid} must be above {free}, which is free: write 1000, or off")
        return self

    def limits(self, platform: str) -> Limits:
        """Give what a platform bears."""
        match platform:
            case "telegram":
                per_chat, per_group = self.telegram_per_chat, self.telegram_per_group
                return telegram_limits(self.telegram_per_second, per_chat, per_group, self.telegram_paid)
            case "discord":
                return discord_limits(self.discord_per_second)
        return LIMITS[platform]

    def secrets(self) -> Iterator[str]:
        """Give the texts that must never be seen: what the log redacts by value."""
        for _, value in self:
            if isinstance(value, SecretStr):
                yield value.get_secret_value()
        if self.telegram_secret:
            yield self.telegram_secret
        yield from entries.passwords(self.database_url)
        if self.nats_url is not None:
            yield from entries.passwords(self.nats_url.get_secret_value())

    def for_providers(self) -> dict[str, str]:
        """Give what providers read, by the name of its variable, as text; what is not set is left out."""
        given: dict[str, str] = {}
        for field in _OF_PROVIDERS:
            match getattr(self, field):
                case None:
                    pass
                case SecretStr() as secret:
                    given[variable(field)] = secret.get_secret_value()
                case value:
                    given[variable(field)] = str(value)
        return given


_OF_PROVIDERS = (
    "sosovalue_key",
    "coinglass_key",
    "coinalyze_key",
    "coingecko_key",
    "farside",
    "metrics_dir",
)


def variable(field: str) -> str:
    """Name the variable that a field is read from."""
    return PREFIX + field.upper()


def load_settings(
    exchanges: Collection[str] = (),
    env_file: Path = ENV_FILE,
    secrets: Iterable[Path] = SECRETS,
    providers: Collection[str] = (),
    **given: Any,
) -> Settings:
    """Read the configuration from the environment, ``env_file`` and the folders ``secrets``.

    ``exchanges`` are the names that can be watched, ``providers`` those of metrics (empty: any name is
    taken). Fields that are ``given`` go before what is read. Raises SettingsError with one sentence for the
    first thing that is wrong.
    """
    folders = [folder for folder in secrets if folder.is_dir()]
    try:
        _refuse_misspelt(_names(env_file, folders))
        with warnings.catch_warnings():
            # A secret that pydantic-settings would skip with a warning must not be missed in silence.
            warnings.simplefilter("error", UserWarning)
            settings = _read(env_file, folders, given)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    except SourceError as error:
        raise SettingsError(f"A secret file cannot be used: {error.__cause__ or error}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file} is no UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be read: {error.strerror}.") from None
    if exchanges:
        _refuse_unknown("exchanges", settings.exchanges, exchanges)
    if providers and settings.providers is not None:
        _refuse_unknown("providers", settings.providers, providers)
    return settings


def _read(env_file: Path, folders: list[Path], given: Mapping[str, Any]) -> Settings:
    class Sources(BaseSettings, Settings):
        model_config = SettingsConfigDict(
            env_prefix=PREFIX,
            env_ignore_empty=True,
            env_file=env_file,
            env_file_encoding=ENCODING,
            secrets_dir=folders or None,
            extra="ignore",
        )

    return Settings(**dict(Sources(**given)))


def _names(env_file: Path, folders: Iterable[Path]) -> Iterator[str]:
    """Name all that is configured, wherever it stands."""
    is_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    yield from (name for name in os.environ if not (is_pod and _SERVICE_LINK.fullmatch(name)))
    if env_file.is_file():
        yield from dotenv_values(env_file, encoding=ENCODING)
    for folder in folders:
        yield from (path.name for path in folder.iterdir())


def _refuse_misspelt(names: Iterable[str]) -> None:
    known = [variable(field) for field in Settings.model_fields]
    for name in sorted(names):
        given = name.upper()
        if given.startswith(PREFIX) and given not in known:
            nearest = get_close_matches(given, known, 1, 0)
            raise SettingsError(f"{name} is no setting of Tocsin: did you mean {nearest[0]}?")


def _refuse_unknown(field: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            nearest = get_close_matches(name, known, 1, 0.5)
            hint = f"did you mean {nearest[0]}?" if nearest else f"write one of {', '.join(sorted(known))}."
            raise SettingsError(f"{variable(field)} names {name}, which Tocsin cannot watch: {hint}")


def _sentence(error: ValidationError) -> str:
    """Say the first of the errors, without the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    if not first["loc"]:  # of several settings together
        return f"{first['ctx']['error']}."
    field = str(first["loc"][0])
    problem = first.get("ctx", {}).get("error", "is of no use")
    return f"{variable(field)} {problem}: write {Settings.model_fields[field].description}."
