"""Discord at home: windows, words of each language, what a person brings along, and answers in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from gettext import NullTranslations
from typing import Any

import discord
import pytest

from bot.alerts.languages import Language, Languages
from bot.alerts.message import Button, File, Message, say
from bot.alerts.people import Caller
from bot.catalogues import read_languages
from bot.chats.discord_menu import is_same, line_to_finish, menu
from bot.chats.discord_window import Window, window_of, written
from bot.commands import COMMANDS as TABLE
from bot.ports import Desk, Draft
from tests.test_discord import COMMANDS, FrontDesk, ref, running, server
from tests.wire.discord import DiscordServer

__all__ = ["server"]

LONG = "btc < 98k\nand eth < 3k\nfor 5m"
CHINESE = read_languages()


class WindowDesk(FrontDesk):
    """A front desk that knows what a window begins with."""

    draft = Draft("/alert", LONG)

    async def begin(self, caller: Caller, line: str) -> Draft | None:
        self.heard.append((caller, f"draft {line}"))
        return self.draft if "nix" not in line else None

    def desk(self) -> Desk:
        return replace(super().desk(), draft=self.begin)


async def told_no(said: str) -> AsyncIterator[Message]:
    again = Button("Write it again", "/alert !token", has_window=True)
    yield Message(lines=("no rule",), is_private=True, buttons=((again,),))


# --- windows ------------------------------------------------------------------------------------------------


async def test_a_rule_that_was_left_out_is_asked_for_in_a_window_of_many_lines(server: DiscordServer) -> None:
    front = FrontDesk()
    async with running(server, front):
        asked = await server.slash(server.channel, server.ann, "alert")
        assert await server.window(asked) == ("/alert", "")
        await server.write(asked, LONG)
        [shown] = await server.received(server.channel)
    assert [said for _, said in front.heard] == [f"/alert {LONG}"]
    assert not shown.is_private


async def test_a_bad_rule_is_written_again_in_a_window_that_holds_it(server: DiscordServer) -> None:
    front = WindowDesk(told_no)
    async with running(server, front):
        asked = await server.slash(server.channel, server.ann, "alert")
        await server.write(asked, LONG)
        [shown] = await server.received(server.channel)
        assert shown.is_private
        again = await server.press(server.channel, server.ann, "Write it again")
        assert await server.window(again) == ("/alert", LONG)
    async with running(server, front):  # the window is sent in to another process
        await server.write(again, "btc < 98k")
        await server.received(server.channel, 2)
    assert [said for _, said in front.heard[1:]] == ["draft /alert !token", "/alert btc < 98k"]


async def test_what_has_no_window_any_more_is_said_as_it_stands(server: DiscordServer) -> None:
    front = WindowDesk()
    message = Message(lines=("pick",), buttons=((Button("Write", "/edit nix", has_window=True),),))
    async with running(server, front) as chat:
        await chat.send(ref(server.channel), message, "n")
        await server.press(server.channel, server.boss, "Write")
        await server.reads(server.channel, "heard /edit nix")
    assert [said for _, said in front.heard] == ["draft /edit nix", "/edit nix"]


async def test_a_window_that_is_slow_to_begin_is_given_up_in_time(server: DiscordServer) -> None:
    async def never(_: Caller, __: str) -> Draft | None:
        await asyncio.sleep(60)
        return None

    front = FrontDesk()
    message = Message(lines=("pick",), buttons=((Button("Write", "/edit 3", has_window=True),),))
    desk = replace(front.desk(), draft=never)
    front.desk = lambda: desk  # type: ignore[method-assign]
    async with running(server, front, answer_within=0.05, complete_within=0.05) as chat:
        await chat.send(ref(server.channel), message, "n")
        pressed = await server.press(server.channel, server.boss, "Write")
        await server.answered(pressed, within=2.0)
        await server.reads(server.channel, "heard /edit 3")


def test_a_window_keeps_to_what_discord_takes_and_is_known_again_by_its_name() -> None:
    tr = CHINESE.translator("zh-CN", "UTC")
    for window in (Window("/alert"), Window(f"/publish {'x' * 32}"), Window("/edit 12", is_own=True)):
        made: Any = window_of(window, "y" * 5000, tr).to_dict()
        assert len(made["title"]) <= 45 and len(made["custom_id"]) <= 100
        [label] = made["components"]
        assert len(label["label"]) <= 45 and len(label["description"]) <= 100
        assert len(label["component"]["value"]) == label["component"]["max_length"] == 4000
        field = {"custom_id": label["component"]["custom_id"], "value": " a\nb "}
        for frame in ({"component": field}, {"components": [field]}):
            sent = {"custom_id": made["custom_id"], "components": [frame]}
            assert written(sent) == (window, "a\nb")
    assert written({"custom_id": "another", "components": []}) is None


def test_only_what_cannot_be_said_without_its_long_option_opens_a_window() -> None:
    by_name = {command.name: command for command in TABLE}
    assert line_to_finish(by_name["alert"], {}) == "/alert"
    assert line_to_finish(by_name["publish"], {"name": "floor"}) == "/publish floor"
    assert line_to_finish(by_name["alert"], {"rule": "btc < 1"}) == ""
    assert line_to_finish(by_name["edit"], {"alert": "3"}) == "", "which says how it is changed"
    assert line_to_finish(by_name["why"], {}) == ""


# --- answers in time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["slash", "brought", "press", "own", "window"])
async def test_every_way_to_ask_is_answered_or_deferred_in_time(server: DiscordServer, way: str) -> None:
    """Neither a desk that thinks for long nor a Discord that is slow to open a chat keeps an answer back."""

    async def slow(_: str) -> AsyncIterator[Message]:
        await asyncio.sleep(60)
        yield say("too late")

    rows = ((Button("Do", "/help"), Button("Mine", "/help alert", is_own=True)),)
    async with running(server, FrontDesk(slow), answer_within=0.1) as chat:
        await chat.send(ref(server.channel), Message(lines=("pick",), buttons=rows), "n")
        server.hang("/users/@me/channels")
        match way:
            case "slash" | "brought":
                asked = await server.slash(server.channel, server.ann, "help", is_brought=way == "brought")
            case "window":
                opened = await server.slash(server.channel, server.ann, "alert")
                asked = await server.write(opened, "btc < 1")
            case _:
                asked = await server.press(server.channel, server.ann, "Do" if way == "press" else "Mine")
        await server.answered(asked, within=2.5)


async def test_what_is_deferred_for_one_person_alone_is_not_seen_by_others(server: DiscordServer) -> None:
    async def slow(_: str) -> AsyncIterator[Message]:
        await asyncio.sleep(0.2)
        yield say("found")

    async with running(server, FrontDesk(slow), answer_within=0.05):
        asked = await server.slash(server.channel, server.boss, "help", is_brought=True)
        await server.answered(asked)
        assert asked.ephemeral
        [shown] = await server.holds(server.channel, "found")
    assert shown.is_private


@pytest.mark.parametrize("answer_within", [0.05, 5.0])
async def test_what_is_personal_is_deferred_and_shown_with_its_file_to_the_asker_alone(
    server: DiscordServer, answer_within: float
) -> None:
    go = asyncio.Event()

    async def exports(_: str) -> AsyncIterator[Message]:
        await go.wait()
        yield Message(lines=("your data",), is_private=True, file=File("mine.toml", "tocsin = 1\n"))

    async with running(server, FrontDesk(exports), answer_within=answer_within):
        asked = await server.slash(server.channel, server.boss, "export")
        if answer_within < 1:
            await server.answered(asked)
            assert server.is_thinking(asked) and asked.ephemeral
        go.set()
        [shown] = await server.holds(server.channel, "your data")
    assert asked.ephemeral and shown.is_private
    assert shown.pictures == (b"tocsin = 1\n",) and not shown.before


# --- what a person brings along -----------------------------------------------------------------------------


async def test_who_brings_the_bot_along_is_told_where_it_rings_and_the_way_is_proven_once(
    server: DiscordServer,
) -> None:
    direct = server.direct(server.ann)
    async with running(server, languages=CHINESE):
        for count in (2, 4):
            await server.slash(
                server.channel, server.ann, "alert", {"rule": "btc < 1"}, is_brought=True, locale="zh-CN"
            )
            shown = await server.received(server.channel, count)
        [proof] = server.shown(direct)
    assert all(one.is_private for one in shown)
    assert shown[1].text.startswith("我不是这里的成员") and f"/channels/@me/{direct}" in shown[1].text
    assert proof.text == "你在我不是成员的地方设置的提醒，会在这里触发。"


async def test_who_cannot_be_written_to_is_told_that_nothing_can_ring(server: DiscordServer) -> None:
    async with running(server):
        server.refuse(server.direct(server.ann), 403, 50278)
        await server.slash(server.channel, server.ann, "alert", {"rule": "btc < 1"}, is_brought=True)
        await server.reads(server.channel, "Discord does not let me write there")
        await server.slash(server.channel, server.ann, "help", is_brought=True)
        await server.reads(server.channel, "heard /help")
    assert len(server.shown(server.channel)) == 3, "who only asks is told nothing of it"


async def test_pages_of_what_one_person_sees_are_turned_in_place(server: DiscordServer) -> None:
    async def pages(said: str) -> AsyncIterator[Message]:
        row = ((Button("▶", "/help 2"),),)
        yield Message(lines=(f"page of {said}",), buttons=row, takes_place=True)

    async with running(server, FrontDesk(pages)):
        await server.slash(server.channel, server.ann, "help", is_brought=True)
        await server.received(server.channel)
        await server.press(server.channel, server.ann, "▶", is_brought=True)
        [shown] = await server.reads(server.channel, "page of /help 2")
    assert shown.is_private and shown.before == ("page of /help",)


# --- the words of each language -----------------------------------------------------------------------------


def test_the_menu_is_said_in_every_language_that_has_a_catalogue() -> None:
    described = {one["name"]: one for one in menu(TABLE, CHINESE)}
    alert = described["alert"]
    assert alert["name_localizations"] == {"zh-CN": "提醒", "zh-TW": "提醒"}
    assert alert["description_localizations"]["zh-CN"] == "规则成立时在这里提醒"
    assert described["edit"]["options"][1]["name_localizations"]["zh-CN"] == "规则"
    [how] = [one for one in described["urgent"]["options"] if one["name"] == "how"]
    assert [(one["value"], one["name_localizations"]["zh-CN"]) for one in how["choices"]] == [
        ("on", "开"),
        ("off", "关"),
    ]
    assert all({"zh-CN", "zh-TW"} == {*one["description_localizations"]} for one in described.values())
    assert len({one["name_localizations"]["zh-CN"] for one in described.values()}) == len(TABLE)
    for one in described.values():
        names = [option["name_localizations"]["zh-CN"] for option in one["options"]]
        assert len(set(names)) == len(names)
        said = [one["description"], *one["description_localizations"].values()]
        assert all(len(text) <= 100 for text in said)
        assert _weight(one) <= 8000


def _weight(one: dict[str, Any]) -> int:
    """Count the characters of a command as Discord does, each in its longest language."""
    options = sum(map(_weight, one.get("options", ()))) + sum(map(_weight, one.get("choices", ())))
    own = [
        max(len(text) for text in (one.get(key, ""), *one.get(f"{key}_localizations", {}).values()))
        for key in ("name", "description")
    ]
    return sum(own) + options + len(str(one.get("value", "")))


async def test_a_menu_with_other_words_is_registered_anew_and_the_same_is_not(server: DiscordServer) -> None:
    async def puts(languages: Languages) -> int:
        async with running(server, languages=languages):
            pass
        return server.count("PUT", "/applications/*/commands")

    assert [await puts(Languages()), await puts(CHINESE), await puts(CHINESE)] == [1, 2, 2]
    assert is_same(menu(COMMANDS, CHINESE), menu(COMMANDS, CHINESE))
    assert not is_same(menu(TABLE, CHINESE), menu(TABLE))


def test_a_name_that_discord_would_refuse_is_left_out() -> None:
    class Odd(NullTranslations):
        def pgettext(self, context: str, message: str) -> str:
            return {"alert": "Zwei Wörter", "alerts": "gleich", "why": "gleich", "edit": "help"}.get(
                message, message
            )

    odd = Languages((Language("de", "Deutsch", Odd()),))
    described = {one["name"]: one for one in menu(TABLE, odd)}
    assert not any("name_localizations" in described[name] for name in ("alert", "alerts", "why", "edit"))


async def test_what_is_said_before_the_desk_is_said_in_the_language_of_who_asks(
    server: DiscordServer,
) -> None:
    async def fails(said: str) -> AsyncIterator[Message]:
        if said == "/help":
            raise RuntimeError("a bug")
        for message in ():
            yield message

    async with running(server, FrontDesk(fails), languages=CHINESE):
        await server.slash(server.channel, server.ann, "help", locale="zh-TW")
        await server.reads(server.channel, "这里出了点问题")
        await server.slash(server.channel, server.ann, "alert", {"rule": "x"}, locale="zh-CN")
        await server.reads(server.channel, "这个没有什么可回答的")
        server.bar(server.channel)
        await server.slash(server.channel, server.ann, "alert", {"rule": "x"}, locale="zh-CN")
        await server.reads(server.channel, "我不能在这个频道发言")


async def test_a_file_that_may_not_be_attached_is_missed_in_the_language_of_who_asks(
    server: DiscordServer,
) -> None:
    async def exports(_: str) -> AsyncIterator[Message]:
        yield replace(say("1 alert"), file=File("tocsin.toml", "tocsin = 1"))

    server.bar(server.channel, files_only=True)
    async with running(server, FrontDesk(exports), languages=CHINESE):
        await server.slash(server.channel, server.ann, "help", locale="zh-CN")
        await server.reads(server.channel, "1 alert\n我在这里没有“附加文件”权限")
        await server.slash(server.channel, server.ann, "help", locale="en-GB")
        await server.reads(server.channel, "1 alert\nI may not attach files here: let me")


async def test_who_manages_the_server_is_told_once_that_cards_are_text(server: DiscordServer) -> None:
    rights = discord.Permissions.all()
    rights.update(administrator=False, embed_links=False)
    server.grant(rights)
    async with running(server):
        for said in range(3):
            await server.slash(server.channel, server.boss, "help")
            await server.received(server.channel, said + 1)
        await server.reads(server.channel, "I may not embed links in this channel")
    assert sum("embed links" in one.text for one in server.shown(server.channel)) == 1
