"""Buttons on Discord: the real discord.py against a Discord on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.chart import Flow, FlowChart
from bot.alerts.message import Button, Message, say
from bot.alerts.people import Caller, ChatKind
from bot.chats.discord_buttons import changed, view_of
from bot.chats.discord_text import LIMIT, render, width
from bot.chats.studio import Studio
from bot.ports import Receipt
from tests.pictures import stub
from tests.test_discord import FrontDesk, messages, ref, running
from tests.wire.discord import DiscordServer

ROWS = ((Button("Arm again", "/resume 1"),), (Button("Delete", "/delete 1 ask"),))
RING = Message("#1 BTC/USDT fell.", ("> Note: hold",), code="> a", buttons=ROWS)
TEXT = "**#1 BTC/USDT fell.**\n\\> Note: hold\n```\n> a\n```"
SHOWN = (("Arm again", "say:/resume 1"), ("Delete", "say:/delete 1 ask"))
PICTURE = FlowChart("Flows", "millions", (Flow("20", "Nov", 5.0, "+5"),), "not final")


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


def answering(*messages: Message) -> FrontDesk:
    async def replies(_said: str) -> AsyncIterator[Message]:
        for message in messages:
            yield message

    return FrontDesk(replies)


def refusing(text: str) -> Message:
    return Message(lines=(text,), is_private=True)


async def test_a_pressed_button_is_said_by_who_pressed_it_and_the_answer_stands_below(
    server: DiscordServer,
) -> None:
    front = answering(Message(lines=("#1 armed.", "# Now 69,400."), buttons=ROWS[1:]))
    async with running(server, front) as chat:
        assert isinstance(await chat.send(ref(server.channel), RING, "1"), Receipt)
        [ring] = server.shown(server.channel)
        assert (ring.text, ring.buttons) == (TEXT, SHOWN)
        await server.press(server.channel, server.boss, "Arm again")
        [ring] = await server.reads(server.channel, "armed")
    assert ring.text == f"{TEXT}\n> boss: #1 armed.\n> \\# Now 69,400."
    assert ring.buttons == SHOWN[1:]
    assert front.heard == [
        (
            Caller(
                ref(server.channel),
                ChatKind.GROUP,
                server.boss,
                "boss",
                True,
                "en-US",
                server=server.home,
                has_pressed=True,
                has_windows=True,
            ),
            "/resume 1",
        )
    ]


async def test_the_next_answer_takes_the_place_of_the_last_one_below(server: DiscordServer) -> None:
    async def counting(_said: str) -> AsyncIterator[Message]:
        yield Message(lines=(f"answer {len(front.heard)}", "and more"), buttons=ROWS)

    front = FrontDesk(counting)
    channel = server.direct(server.ann)
    async with running(server, front) as chat:
        await chat.send(ref(channel), RING, "1")
        for number in (1, 2, 3):
            await server.press(channel, server.ann, "Arm again")
            [ring] = await server.reads(channel, f"answer {number}")
    assert ring.text == f"{TEXT}\n> answer 3\n> and more"


async def test_a_button_works_after_a_restart(server: DiscordServer) -> None:
    async with running(server) as chat:
        await chat.send(ref(server.channel), RING, "1")
    front = answering(say("#1 armed."))
    async with running(server, front):
        await server.press(server.channel, server.boss, "Arm again")
        [ring] = await server.reads(server.channel, "armed")
    assert ring.buttons == ()
    assert [said for _, said in front.heard] == ["/resume 1"]


HANDED = Message(lines=("#3",), buttons=((Button("Copy to my messages", "/start T", is_own=True),),))


async def test_a_button_of_ones_own_is_said_and_answered_in_private_by_whoever_presses(
    server: DiscordServer,
) -> None:
    """A message in a channel hands something on: each who presses gets it in their own direct messages."""
    async with running(server) as chat:
        await chat.send(ref(server.channel), HANDED, "1")

    async def counting(_said: str) -> AsyncIterator[Message]:
        arm = Button("Arm it", "/alert btc < 1")
        yield Message(lines=(f"answer {len(front.heard)}",), buttons=((arm,),))

    front = FrontDesk(counting)
    async with running(server, front):
        for number, person in enumerate((server.ann, server.boss), 1):
            await server.press(server.channel, person, "Copy to my messages")
            await server.reads(server.channel, f"answer {number}")
        shown = [one for one in server.shown(server.channel) if one.is_private]
        assert [one.text for one in shown] == ["answer 1", "answer 2"]
        assert shown[0].buttons == (("Arm it", "own:/alert btc < 1"),)
        await server.press(server.channel, server.ann, "Arm it", message=shown[0].id)
        await server.reads(server.channel, "answer 3")
    assert [(caller.chat, caller.kind, said) for caller, said in front.heard] == [
        (ref(server.direct(server.ann)), ChatKind.PRIVATE, "/start T"),
        (ref(server.direct(server.boss)), ChatKind.PRIVATE, "/start T"),
        (ref(server.direct(server.ann)), ChatKind.PRIVATE, "/alert btc < 1"),
    ]
    [handed] = [one for one in server.shown(server.channel) if not one.is_private]
    assert (handed.text, handed.buttons) == ("#3", (("Copy to my messages", "own:/start T"),))


async def test_a_refusal_is_shown_to_the_presser_alone_and_changes_nothing(server: DiscordServer) -> None:
    async with running(server, answering(refusing("Only admins may."))) as chat:
        await chat.send(ref(server.channel), RING, "1")
        await server.press(server.channel, server.ann, "Arm again")
        ring, aside = await server.received(server.channel, 2)
    assert (aside.text, aside.is_private) == ("Only admins may.", True)
    assert (ring.text, ring.buttons) == (TEXT, SHOWN)


async def test_a_double_press_is_said_twice_and_answered_twice(server: DiscordServer) -> None:
    async def once(_said: str) -> AsyncIterator[Message]:
        yield say("#1 armed.") if len(front.heard) == 1 else refusing("#1 is armed already.")

    front = FrontDesk(once)
    async with running(server, front) as chat:
        await chat.send(ref(server.channel), RING, "1")
        await asyncio.gather(*(server.press(server.channel, server.boss, "Arm again") for _ in range(2)))
        ring, aside = await server.received(server.channel, 2)
        await server.reads(server.channel, "armed")
        [ring, aside] = server.shown(server.channel)
    assert ring.text == f"{TEXT}\n> boss: #1 armed."
    assert (aside.text, aside.is_private) == ("#1 is armed already.", True)


async def test_a_proposal_becomes_its_answer(server: DiscordServer) -> None:
    front = answering(Message("Done: @floor is 98,000.", takes_place=True))
    async with running(server, front) as chat:
        await chat.send(ref(server.channel), RING, "1")
        await server.press(server.channel, server.boss, "Delete")
        [shown] = await server.holds(server.channel, "**Done: @floor is 98,000.**")
    assert shown.buttons == ()


async def test_a_slow_press_is_deferred_and_the_message_changed_later(server: DiscordServer) -> None:
    done = asyncio.Event()

    async def slow(_said: str) -> AsyncIterator[Message]:
        await done.wait()
        yield say("looking")
        yield say("looking", "found")

    async with running(server, FrontDesk(slow), answer_within=0.05) as chat:
        await chat.send(ref(server.channel), RING, "1")
        record = await server.press(server.channel, server.boss, "Arm again")
        await server.answered(record)
        [ring] = server.shown(server.channel)
        assert (ring.text, ring.buttons) == (TEXT, SHOWN)
        done.set()
        [ring] = await server.reads(server.channel, "found")
    assert ring.text == f"{TEXT}\n> boss: looking\n> found"


async def test_a_slow_refusal_is_shown_to_the_presser_alone_too(server: DiscordServer) -> None:
    done = asyncio.Event()

    async def slow(_said: str) -> AsyncIterator[Message]:
        await done.wait()
        yield refusing("Only admins may.")

    async with running(server, FrontDesk(slow), answer_within=0.05) as chat:
        await chat.send(ref(server.channel), RING, "1")
        record = await server.press(server.channel, server.ann, "Arm again")
        await server.answered(record)
        done.set()
        ring, aside = await server.received(server.channel, 2)
    assert (aside.text, aside.is_private) == ("Only admins may.", True)
    assert (ring.text, ring.buttons) == (TEXT, SHOWN)


async def test_an_answer_with_a_picture_or_too_long_is_a_message_of_its_own(server: DiscordServer) -> None:
    replies = iter(
        [Message("BTC", chart=PICTURE), say("x" * 1990), Message(lines=("y" * 3000,), takes_place=True)]
    )

    async def answer(_said: str) -> AsyncIterator[Message]:
        yield next(replies)

    async with running(server, FrontDesk(answer), studio=Studio(stub)) as chat:
        await chat.send(ref(server.channel), RING, "1")
        for count in (2, 3, 5):
            await server.press(server.channel, server.boss, "Arm again")
            shown = await server.received(server.channel, count)
    assert shown[1].pictures
    assert (shown[0].text, shown[0].buttons) == (TEXT, SHOWN)
    assert [one.text[:1] for one in shown[2:]] == ["x", "y", "y"]


async def test_a_ring_with_a_picture_keeps_it_under_its_answer(server: DiscordServer) -> None:
    async with running(server, answering(say("#1 armed.")), studio=Studio(stub)) as chat:
        rang = Message("#1 rang.", buttons=ROWS, chart=PICTURE)
        sent = await chat.send(ref(server.channel), rang, "1")
        assert isinstance(sent, Receipt)
        await chat.illustrate(ref(server.channel), sent.message, rang)
        await server.press(server.channel, server.boss, "Arm again")
        [ring] = await server.reads(server.channel, "armed")
    assert ring.pictures


async def test_a_message_that_was_deleted_meanwhile_is_answered_with_a_new_one(
    server: DiscordServer,
) -> None:
    async def slow(_said: str) -> AsyncIterator[Message]:
        server.delete(server.channel, server.shown(server.channel)[0].id)
        yield say("#1 armed.")

    async with running(server, FrontDesk(slow)) as chat:
        await chat.send(ref(server.channel), RING, "1")
        await server.press(server.channel, server.boss, "Arm again")
        await server.holds(server.channel, "#1 armed.")


async def test_a_press_answered_too_late_changes_the_message_all_the_same(server: DiscordServer) -> None:
    async def late(_said: str) -> AsyncIterator[Message]:
        server.pass_time(4.0)
        yield say("#1 armed.")

    async with running(server, FrontDesk(late)) as chat:
        await chat.send(ref(server.channel), RING, "1")
        await server.press(server.channel, server.boss, "Arm again")
        await server.holds(server.channel, f"{TEXT}\n> boss: #1 armed.")


async def test_a_press_whose_answer_was_lost_is_answered_once(server: DiscordServer) -> None:
    async with running(server, answering(say("#1 armed."), say("#1 armed.", "found"))) as chat:
        await chat.send(ref(server.channel), RING, "1")
        server.lose_answers("/interactions/*")
        await server.press(server.channel, server.boss, "Arm again")
        await server.holds(server.channel, f"{TEXT}\n> boss: #1 armed.\n> found")


async def test_the_answer_to_a_slash_command_has_its_buttons_with_its_last_part(
    server: DiscordServer,
) -> None:
    long = Message(lines=tuple("z" * 90 for _ in range(30)), buttons=ROWS)
    front = answering(Message(lines=("looking",), buttons=ROWS[1:]), long)
    async with running(server, front):
        await server.slash(server.channel, server.boss, "help")
        first, last = await server.received(server.channel, 2)
    assert (first.buttons, last.buttons) == ((), SHOWN)


async def test_an_answer_to_a_message_has_its_buttons_too(server: DiscordServer) -> None:
    async with running(server, answering(Message(lines=("found",), buttons=ROWS))):
        channel = await server.dm(server.ann, "/alerts")
        [shown] = await server.received(channel)
    assert shown.buttons == SHOWN


async def test_what_discord_would_refuse_of_buttons_is_left_out(server: DiscordServer) -> None:
    twice = (Button("Again", "/resume 1"), Button("", "/a"), Button("Long", "/" + "x" * 99))
    async with running(server) as chat:
        message = Message("t", buttons=(*ROWS, twice))
        assert isinstance(await chat.send(ref(server.channel), message, "1"), Receipt)
    assert server.shown(server.channel)[0].buttons == SHOWN


@pytest.mark.parametrize(
    ("rows", "shown"),
    [(5, [2] * 5), (6, [2, 2, 2, 2, 4]), (8, [2, 2, 2, 5, 5]), (20, [5] * 5), (40, [5] * 5)],
)
async def test_more_rows_than_discord_has_are_put_together(rows: int, shown: list[int]) -> None:
    buttons = tuple(
        tuple(Button(f"{row}{column}", f"/alert {row} {column}") for column in range(2))
        for row in range(rows)
    )
    view = view_of(buttons)
    assert view is not None
    placed = [item.row for item in view.children]
    assert [placed.count(row) for row in sorted(set(placed))] == shown


@given(messages, messages, st.sampled_from(["", "Ben", "> *Ben*\n"]))
def test_an_answer_below_is_within_the_bounds_and_replaces_the_one_before(
    ring: Message, answer: Message, by: str
) -> None:
    text = render(ring)[-1]
    first = changed(text, answer, by)
    if first is None:
        return
    assert first.startswith(text)
    assert width(first) <= LIMIT
    assert changed(first, answer, by) == first
