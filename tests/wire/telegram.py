"""Speak Telegram's Bot API on loopback, as far as a bot that polls and writes can tell.

What it says follows the open Bot API server of one's own (``--local``, which delivers to any address): its
descriptions, its long poll with confirmed offsets and the 409 for the poll that a newer one or a webhook
ends, its deliveries (``hook``), its privacy mode, its way of counting a message's length, its topics.
Of two 409 in short order the second is kept back for ``conflict_pause`` seconds. It does not imitate pacing
limits (a test orders a 429) nor the other pauses by which the server slows down pollers.

    async with TelegramServer() as server:
        chat = TelegramChat(server.token, clock, root=server.root)
        ...
        await server.say(7, 7, "/start")                  # person 7 in their private chat
        [first] = await server.received(7, 1)             # waits until one message was shown there
        server.order(7, flood(3))                         # the next message to chat 7 meets a 429
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.wire.forms import Upload, read_form
from tests.wire.telegram_delivery import Delivery
from tests.wire.telegram_inline import Inline, text_of
from tests.wire.telegram_markup import parse_html, units

Json = dict[str, Any]

TEXT_LIMIT = 4096
ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
RIGHTS = [
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
]
_NO_GIFTS = dict.fromkeys(
    (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    ),
    False,
)
_CONTENT = ("text", "entities", "caption", "caption_entities")
ACTIONS = frozenset(["typing", "upload_photo", "upload_document", "find_location", "choose_sticker"])
PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"

_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,64})(?:@([A-Za-z0-9_]{3,32}))?(?![\w@/<>])")


@dataclass(frozen=True)
class Trouble:
    """What a request meets instead of an answer.

    ``kind`` is ``answer`` (an error of the Bot API), ``page`` (what a proxy says), ``hang`` (nothing comes),
    ``reset`` (the connection breaks before anything is done), ``lose`` (it is done, then the connection
    breaks) or ``mute`` (it is done, and no answer comes).
    """

    kind: str = "answer"
    status: int = 400
    description: str = ""
    parameters: Mapping[str, int] | None = None


def flood(seconds: int) -> Trouble:
    """Ask to wait, with a 429."""
    return Trouble(
        "answer", 429, f"Too Many Requests: retry after {seconds}", parameters={"retry_after": seconds}
    )


def forbidden(why: str) -> Trouble:
    """Refuse with a 403: ``bot was blocked by the user``."""
    return Trouble("answer", 403, f"Forbidden: {why}")


def bad(why: str) -> Trouble:
    """Refuse with a 400: ``can't parse entities: ...``."""
    return Trouble("answer", 400, f"Bad Request: {why}")


RESTART = Trouble("answer", 500, "Internal Server Error: restart")
BAD_GATEWAY = Trouble("page", 502)
HANG = Trouble("hang")
RESET = Trouble("reset")
LOSE = Trouble("lose")
MUTE = Trouble("mute")


@dataclass
class Shown:
    """A message of the bot as people see it now, and all the texts it has had."""

    chat: int
    id: int
    text: str
    source: str
    entities: list[Json]
    thread: int | None = None
    reply_to: int | None = None
    texts: list[str] = field(default_factory=list)
    is_deleted: bool = False
    has_preview: bool = True
    photo: str = ""
    document: bytes = b""
    buttons: list[list[tuple[str, str]]] = field(default_factory=list)


@dataclass(frozen=True)
class Told:
    """What a press was answered with; ``is_alert`` is shown until it is closed."""

    person: int
    text: str
    is_alert: bool


@dataclass
class Place:
    """A chat as the server knows it."""

    id: int
    type: str
    title: str = ""
    username: str = ""
    admins: dict[int, str] = field(default_factory=dict)
    members: dict[int, Json] = field(default_factory=dict)
    topics: set[int] = field(default_factory=set)
    closed: set[int] = field(default_factory=set)
    moved_to: int | None = None
    is_blocked: bool = False
    is_mute: bool = False
    posts: dict[int, Json] = field(default_factory=dict)
    shown: dict[int, Shown] = field(default_factory=dict)

    def json(self) -> Json:
        """Give the chat as messages carry it."""
        if self.type == "private":
            return {"id": self.id, "type": "private", "first_name": self.title or f"Person {self.id}"}
        return {"id": self.id, "type": self.type, "title": self.title} | (
            {"is_forum": True} if self.topics else {}
        )


@dataclass(frozen=True)
class Call:
    """One request that was answered: what came, and what went back."""

    method: str
    params: Json
    status: int
    answer: Json
    host: str = ""
    """By which name the server was called."""


class Refusal(Exception):
    """An error of the Bot API."""

    def __init__(self, status: int, description: str, parameters: Mapping[str, int] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


class TelegramServer:
    """One bot's Bot API server on a port of its own. ``root`` and ``token`` are what the bot is given."""

    def __init__(
        self,
        token: str = "123456789:AAHfakeTokenOfTheLoopbackServer_x0",  # noqa: S107
        username: str = "tocsin_test_bot",
        *,
        has_privacy: bool = True,
    ) -> None:
        self.token = token
        self.username = username
        self.me: Json = {
            "id": int(token.split(":", maxsplit=1)[0]),
            "is_bot": True,
            "first_name": "Tocsin",
            "username": username,
            "can_join_groups": True,
            "can_read_all_group_messages": not has_privacy,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
        }
        self.calls: list[Call] = []
        self.chats: dict[int, Place] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}
        self.described: dict[tuple[str, str], str] = {}
        self.inline = Inline()
        self.is_revoked = False
        self.files: dict[str, bytes] = {}
        self.told: list[Told] = []
        self._queries: dict[str, int] = {}
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._orders: dict[int | str, list[Trouble]] = {}
        self._updates: list[Json] = []
        self._next_update = 500_000_001
        self._next_post = 1
        self._poll: asyncio.Future[str] | None = None
        self._allowed: list[str] = []
        self.conflict_pause = 3.0
        self._next_conflict = 0.0
        self._changed = asyncio.Event()
        self.hook = Delivery(self._updates, self._changed.set)

    # --- life -----------------------------------------------------------------------------------------------

    @property
    def root(self) -> str:
        """The address to give to the bot."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many connections are open: where a bot was killed, 0 as soon as all it sent is dealt with."""
        server = self._runner.server if self._runner else None
        return len(server.connections) if server else 0

    async def __aenter__(self) -> TelegramServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a ``stop`` on the same port again, with everything still known."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        app.router.add_get("/file/bot{token}/{path:.*}", self._download)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.05, keepalive_timeout=75
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self.hook.wake()

    async def stop(self) -> None:
        """Close every connection and listen no longer."""
        await self.hook.stop()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    # --- what a test arranges -------------------------------------------------------------------------------

    def group(
        self, chat: int, title: str = "Traders", *, admins: Iterable[int] = (), topics: Iterable[int] = ()
    ) -> Place:
        """Make the bot a member of a group; its first administrator owns it; ``topics`` make a forum."""
        kind = "supergroup" if chat <= -1_000_000_000_000 else "group"
        roles = {one: "creator" if index == 0 else "administrator" for index, one in enumerate(admins)}
        self.chats[chat] = Place(chat, kind, title, admins=roles, topics=set(topics))
        return self.chats[chat]

    def channel(self, chat: int, title: str = "News", *, admins: Iterable[int] = ()) -> Place:
        """Make the bot an administrator of a channel."""
        roles = {one: "creator" if index == 0 else "administrator" for index, one in enumerate(admins)}
        self.chats[chat] = Place(chat, "channel", title, admins=roles)
        return self.chats[chat]

    async def post(self, chat: int, text: str) -> int:
        """Post in a channel, as its administrators do: the author is the channel."""
        place = self.chats[chat]
        stored = self._store(place, {"sender_chat": place.json(), "text": text})
        self.push({"channel_post": stored})
        return int(stored["message_id"])

    def private(self, person: int, name: str = "") -> Place:
        """Let a person have started the bot."""
        self.chats[person] = Place(person, "private", name)
        return self.chats[person]

    def migrate(self, old: int, new: int) -> None:
        """Turn a group into a supergroup with another id."""
        place = self.group(new, self.chats[old].title)
        place.admins, place.members = self.chats[old].admins, self.chats[old].members
        self.chats[old].moved_to = new

    def order(self, where: int | str, *troubles: Trouble) -> None:
        """Let the next messages or edits in a chat, or calls of a method, meet troubles, one each."""
        self._orders.setdefault(where, []).extend(troubles)

    def forget(self, where: int | str) -> None:
        """Let no more troubles happen in a chat, or to a method."""
        self._orders.pop(where, None)

    async def say(
        self,
        chat: int,
        person: int,
        text: str,
        *,
        name: str = "",
        language: str | None = "en",
        thread: int | None = None,
        speaks_as: int | None = None,
        to: int | None = None,
        **more: Any,
    ) -> int:
        """Let a person say something in a chat, and give the id of that message.

        An unknown chat is made: the person's own, or a group. ``speaks_as`` is the group's own id for an
        anonymous administrator, or a channel's. ``more`` adds or replaces fields of the message; a text of
        ``""`` is left out. In a group with privacy mode the bot sees commands, none of other bots, and what
        replies ``to`` a message of its own.
        """
        place = self.chats.get(chat)
        if place is None:
            place = self.private(chat, name) if chat > 0 else self.group(chat)
        place.is_blocked = False if place.type == "private" else place.is_blocked
        author: Json = {"id": person, "is_bot": False, "first_name": name or f"Person {person}"}
        if language is not None:
            author["language_code"] = language
        place.members[person] = author
        post: Json = {"from": author, "text": text}
        if speaks_as is not None:
            is_group = speaks_as == chat
            post["from"] = ANONYMOUS if is_group else CHANNEL_BOT
            post["sender_chat"] = (
                place.json()
                if is_group
                else {"id": speaks_as, "type": "channel", "title": name or "A channel"}
            )
        if thread is not None:
            post |= {"message_thread_id": thread, "is_topic_message": True}
        if to is not None:
            post["reply_to_message"] = {
                key: value for key, value in place.posts[to].items() if key != "reply_to_message"
            }
        command = _COMMAND.match(text)
        if command:
            post["entities"] = [{"type": "bot_command", "offset": 0, "length": units(command[0])}]
        post = {key: value for key, value in (post | more).items() if value not in (None, "")}
        stored = self._store(place, post)
        is_ours = command is not None and (command[2] or self.username).lower() == self.username.lower()
        is_ours = is_ours or (to in place.shown and command is None)
        if place.type == "private" or is_ours or self.me["can_read_all_group_messages"]:
            self.push({"message": stored})
        return int(stored["message_id"])

    async def inquire(
        self, person: int, words: str, *, name: str = "", language: str | None = "en", chat: int | None = None
    ) -> list[Json]:
        """Let a person type words behind the bot's name in some chat; gives the results that they are shown.

        In a ``chat`` that is given they choose the first, which is posted there. Nothing comes to a bot whose
        inline mode is off.
        """
        if not self.me["supports_inline_queries"]:
            return []
        author: Json = {"id": person, "is_bot": False, "first_name": name or f"Person {person}"}
        if language is not None:
            author["language_code"] = language
        update = self.inline.ask(author, words, "supergroup")
        self.push({"inline_query": update})
        await self.until(lambda: update["id"] in self.inline.results)
        results = self.inline.results[update["id"]]
        if chat is not None:
            self._post_result(self.chats[chat], author, results[0])
        return results

    def _post_result(self, place: Place, author: Json, result: Json) -> None:
        text, entities = text_of(result)
        content = result["input_message_content"]
        post: Json = {"from": author, "via_bot": self.me_as_user, "text": text}
        if entities:
            post["entities"] = entities
        if markup := result.get("reply_markup"):
            post["reply_markup"] = markup
        stored = self._store(place, post)
        shown = Shown(place.id, stored["message_id"], text, str(content["message_text"]), entities)
        shown.has_preview = not (content.get("link_preview_options") or {}).get("is_disabled", False)
        shown.texts.append(text)
        shown.buttons = _shown_buttons(markup or {})
        place.shown[shown.id] = shown
        if place.type == "private" or self.me["can_read_all_group_messages"]:
            self.push({"message": stored})

    def upload(self, name: str, content: bytes) -> Json:
        """Give a file as a message carries it, uploaded by a person."""
        known = f"BQACAgIAAxkB{len(self.files):04d}"
        self.files[known] = content
        return {"file_id": known, "file_unique_id": f"u{known}", "file_name": name, "file_size": len(content)}

    async def press(
        self,
        chat: int,
        person: int,
        label: str,
        *,
        message: int | None = None,
        is_accessible: bool = True,
        language: str | None = "en",
    ) -> str:
        """Let a person press a button by its label, once it is there, under the newest message that has it.

        Gives the id of the query; a link to the bot has none: its private chat opens, and Start is pressed.
        One that is not ``is_accessible`` tells the bot no more of the message than
        its id, as for one that is too old.
        """
        place = self.chats[chat]

        def found() -> list[tuple[str, Shown]]:
            return [
                (data, one)
                for one in self.shown(chat)
                for row in one.buttons
                for text, data in row
                if text == label and message in (None, one.id)
            ]

        await self.until(lambda: bool(found()))
        data, pressed = found()[-1]
        if data.startswith(deep := f"https://t.me/{self.username}?start="):
            await self.say(person, person, f"/start {data.removeprefix(deep)}", language=language)
            return ""
        author: Json = place.members.get(person) or {
            "id": person,
            "is_bot": False,
            "first_name": f"Person {person}",
        }
        if language is not None:
            author = author | {"language_code": language}
        post = place.posts[pressed.id]
        if not is_accessible:
            post = {"chat": place.json(), "message_id": pressed.id, "date": 0}
        query = str(7_000_000_000 + len(self._queries))
        self._queries[query] = person
        self.push(
            {
                "callback_query": {
                    "id": query,
                    "from": author,
                    "message": post,
                    "chat_instance": str(chat),
                    "data": data,
                }
            }
        )
        return query

    def push(self, update: Json) -> None:
        """Add an update to what the bot fetches, unless it does not want its kind."""
        if self._allowed and not set(update) & set(self._allowed):
            return
        self._updates.append({"update_id": self._next_update} | update)
        self._next_update += 1
        self.hook.wake()
        if self._poll is not None and not self._poll.done():
            self._poll.set_result("")

    # --- what a test looks at -------------------------------------------------------------------------------

    def shown(self, chat: int) -> list[Shown]:
        """List the bot's messages in a chat that are still there, oldest first."""
        place = self.chats.get(chat)
        return [one for one in place.shown.values() if not one.is_deleted] if place else []

    def texts(self, chat: int) -> list[str]:
        """List what the bot's messages in a chat say now."""
        return [one.text for one in self.shown(chat)]

    async def received(self, chat: int, count: int, timeout: float = 10.0) -> list[Shown]:  # noqa: ASYNC109
        """Wait until a chat has at least so many messages of the bot, and give them."""
        await self.until(lambda: len(self.shown(chat)) >= count, timeout)
        return self.shown(chat)

    async def until(self, is_so: Callable[[], bool], timeout: float = 10.0) -> None:  # noqa: ASYNC109
        """Wait until something is so, looking after every request. Fails with what was said instead."""
        try:
            async with asyncio.timeout(timeout):
                while not is_so():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            said = {chat: self.texts(chat) for chat in self.chats}
            raise AssertionError(f"it did not come about in {timeout} s; the chats show {said}") from None

    def called(self, method: str) -> list[Call]:
        """List the answered calls of a method."""
        return [call for call in self.calls if call.method.lower() == method.lower()]

    @property
    def unconfirmed(self) -> int:
        """Count the updates that the bot has not confirmed."""
        return len(self._updates)

    # --- requests -------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        params = await _params(request)
        trouble = self._trouble(method.lower(), params)
        self._changed.set()
        try:
            if trouble is not None and trouble.kind == "page":
                return web.Response(status=trouble.status, body=PAGE, content_type="text/html")
            if trouble is not None and trouble.kind in ("hang", "reset"):
                return await _silence(request, is_reset=trouble.kind == "reset")
            status, answer = await self._answer(request.match_info["token"], method, params, trouble)
        finally:
            self._changed.set()
        self.calls.append(Call(method, params, status, answer, request.host))
        self._changed.set()
        if trouble is not None and trouble.kind in ("lose", "mute"):
            return await _silence(request, is_reset=trouble.kind == "lose")
        headers = {}
        if seconds := answer.get("parameters", {}).get("retry_after"):
            headers["Retry-After"] = str(seconds)
        return web.json_response(answer, status=status, headers=headers)

    def _trouble(self, method: str, params: Json) -> Trouble | None:
        places: list[int | str] = [method]
        if method in ("sendmessage", "editmessagetext", "editmessagecaption", "sendphoto", "senddocument"):
            places.append(_integer(params, "chat_id") or 0)
        for where, orders in self._orders.items():
            if orders and (where.lower() if isinstance(where, str) else where) in places:
                return orders.pop(0)
        return None

    async def _answer(
        self, token: str, method: str, params: Json, trouble: Trouble | None
    ) -> tuple[int, Json]:
        try:
            if ":" not in token or token.startswith("0"):
                raise Refusal(401, "Unauthorized: invalid token specified")
            if token != self.token or self.is_revoked:
                raise Refusal(401, "Unauthorized")
            if trouble is not None and trouble.kind == "answer":
                raise Refusal(trouble.status, trouble.description, trouble.parameters)
            if (answer := getattr(self, f"_do_{method.lower()}", None)) is None:
                raise Refusal(404, "Not Found: method not found")
            result = answer(params)
            return 200, {"ok": True, "result": await result if asyncio.iscoroutine(result) else result}
        except Refusal as refusal:
            error: Json = {"ok": False, "error_code": refusal.status, "description": refusal.description}
            if refusal.parameters:
                error["parameters"] = dict(refusal.parameters)
            return refusal.status, error

    # --- methods --------------------------------------------------------------------------------------------

    def _do_getme(self, _params: Json) -> Json:
        return self.me

    def _do_getwebhookinfo(self, _params: Json) -> Json:
        return self.hook.info()

    def _do_setwebhook(self, params: Json) -> bool:
        url, secret = str(params.get("url", "")), str(params.get("secret_token", ""))
        if not url:
            return self._do_deletewebhook(params)
        if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
            raise Refusal(400, "Bad Request: bad webhook: Failed to resolve host: Name or service not known")
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", secret):
            raise Refusal(400, "Bad Request: secret token contains unallowed characters")
        if "allowed_updates" in params:
            self._allowed = _decoded(params, "allowed_updates") or []
        if _boolean(params, "drop_pending_updates"):
            self._updates.clear()
        self._end_poll("terminated by setWebhook request")
        self.hook.url, self.hook.secret, self.hook.error = url, secret, ""
        self.hook.allowed, self.hook.connections = self._allowed, _integer(params, "max_connections") or 40
        self.hook.wake()
        return True

    def _do_deletewebhook(self, params: Json) -> bool:
        self.hook.url = self.hook.secret = ""
        if _boolean(params, "drop_pending_updates"):
            self._updates.clear()
        return True

    async def _do_getupdates(self, params: Json) -> list[Json]:
        if self.hook.url:
            await self._conflict(
                "can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first"
            )
        offset = _integer(params, "offset") or 0
        limit = min(max(_integer(params, "limit") or 100, 1), 100)
        timeout = min(max(_integer(params, "timeout") or 0, 0), 50)
        if "allowed_updates" in params:
            self._allowed = _decoded(params, "allowed_updates") or []
        if offset < 0:
            self._updates[:] = self._updates[offset:]
        self._updates[:] = [one for one in self._updates if one["update_id"] >= offset]
        self._changed.set()
        if not self._updates and timeout:
            await self._wait_for_updates(timeout)
        return self._updates[:limit]

    async def _wait_for_updates(self, seconds: float) -> None:
        self._end_poll(
            "terminated by other getUpdates request; make sure that only one bot instance is running"
        )
        mine = self._poll = asyncio.get_running_loop().create_future()
        try:
            why = await asyncio.wait_for(mine, seconds)
        except TimeoutError:
            why = ""
        finally:
            if self._poll is mine:
                self._poll = None
        if why:
            await self._conflict(why)

    def _end_poll(self, why: str) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(why)

    async def _conflict(self, why: str) -> None:
        now = time.monotonic()
        if now < self._next_conflict:
            await asyncio.sleep(self.conflict_pause)
        else:
            self._next_conflict = now + self.conflict_pause
        raise Refusal(409, f"Conflict: {why}")

    def _do_sendmessage(self, params: Json) -> Json:
        place = self._writable(params)
        text, entities = self._text(params, "text", "message text is empty", "message is too long")
        return self._show(place, params, text, entities, content={"text": text})

    def _do_getfile(self, params: Json) -> Json:
        known = str(params.get("file_id"))
        if known not in self.files:
            raise Refusal(400, "Bad Request: invalid file_id")
        size = len(self.files[known])
        if size > 20 << 20:
            raise Refusal(400, "Bad Request: file is too big")
        return {
            "file_id": known,
            "file_unique_id": f"u{known}",
            "file_size": size,
            "file_path": f"documents/{known}",
        }

    async def _download(self, request: web.Request) -> web.Response:
        known = request.match_info["path"].removeprefix("documents/")
        if request.match_info["token"] != self.token or known not in self.files:
            return web.Response(status=404)
        return web.Response(body=self.files[known])

    def _do_senddocument(self, params: Json) -> Json:
        place = self._writable(params)
        document = params.get("document")
        if not isinstance(document, bytes):
            raise Refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
        text, entities = "", []
        if params.get("caption"):
            text, entities = self._text(params, "caption", "", "message caption is too long", limit=1024)
        more: Json = {
            "document": self.upload("document", document),
            "caption": text,
            "caption_entities": entities,
        }
        content = {key: value for key, value in more.items() if value}
        stored = self._show(place, params, text, entities, content=content)
        place.shown[stored["message_id"]].document = document
        return stored

    def _do_sendphoto(self, params: Json) -> Json:
        place = self._writable(params)
        photo = params.get("photo")
        if isinstance(photo, bytes):
            known = f"AgACAgIAAxkD{len(self.files):04d}"
            self.files[known] = photo
        elif isinstance(photo, str) and photo in self.files:
            known = photo
        else:
            raise Refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
        text, entities = "", []
        if params.get("caption"):
            text, entities = self._text(params, "caption", "", "message caption is too long", limit=1024)
        size = {"file_id": known, "file_unique_id": f"u{known}", "width": 800, "height": 400}
        more: Json = {"photo": [size], "caption": text, "caption_entities": entities}
        content = {key: value for key, value in more.items() if value}
        return self._show(place, params, text, entities, content=content, photo=known)

    def _do_editmessagemedia(self, params: Json) -> Json:
        """Put a photo in place of another, or above what was a text, as the Bot API does since 2024."""
        place, shown = self._editable(params)
        media = _decoded(params, "media") or {}
        if media.get("type") != "photo":
            raise Refusal(400, "Bad Request: can't parse InputMedia")
        source = str(media.get("media", ""))
        uploaded = params.pop(source.removeprefix("attach://"), None)
        if isinstance(uploaded, bytes):
            known = f"AgACAgIAAxkD{len(self.files):04d}"
            self.files[known] = uploaded
        elif source in self.files:
            known = source
        else:
            raise Refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
        text, entities = "", list[Json]()
        if media.get("caption"):
            more = {key: media[key] for key in ("caption", "parse_mode") if key in media}
            text, entities = self._text(more, "caption", "", "MEDIA_CAPTION_TOO_LONG", limit=1024)
        size = {"file_id": known, "file_unique_id": f"u{known}", "width": 800, "height": 400}
        is_new, shown.photo = shown.photo != known, known
        content: Json = {"photo": [size], "caption": text, "caption_entities": entities}
        return self._edited(place, shown, params, content, is_new=is_new)

    def _do_editmessagetext(self, params: Json) -> Json:
        place, shown = self._editable(params)
        if shown.photo:
            raise Refusal(400, "Bad Request: there is no text in the message to edit")
        text, entities = self._text(params, "text", "message text is empty", "MESSAGE_TOO_LONG")
        return self._edited(place, shown, params, {"text": text, "entities": entities})

    def _do_editmessagecaption(self, params: Json) -> Json:
        place, shown = self._editable(params)
        if not shown.photo:
            raise Refusal(400, "Bad Request: there is no caption in the message to edit")
        text, entities = "", list[Json]()
        if params.get("caption"):
            text, entities = self._text(params, "caption", "", "MEDIA_CAPTION_TOO_LONG", limit=1024)
        return self._edited(place, shown, params, {"caption": text, "caption_entities": entities})

    def _do_editmessagereplymarkup(self, params: Json) -> Json:
        place, shown = self._editable(params)
        content = {key: place.posts[shown.id][key] for key in _CONTENT if key in place.posts[shown.id]}
        return self._edited(place, shown, params, content)

    def _editable(self, params: Json) -> tuple[Place, Shown]:
        place = self._writable(params)
        shown = place.shown.get(_integer(params, "message_id") or 0)
        if shown is None or shown.is_deleted:
            raise Refusal(400, "Bad Request: message to edit not found")
        return place, shown

    def _edited(
        self, place: Place, shown: Shown, params: Json, content: Json, *, is_new: bool = False
    ) -> Json:
        """Change a message; an edit that says nothing of the keyboard takes it away."""
        text = content.get("text") or content.get("caption") or ""
        entities = content.get("entities") or content.get("caption_entities") or []
        markup = _keyboard(params)
        buttons = _shown_buttons(markup)
        if (text, entities, buttons) == (shown.text, shown.entities, shown.buttons) and not is_new:
            raise Refusal(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message",
            )
        if text != shown.text:
            shown.texts.append(text)
        shown.text, shown.entities, shown.buttons = text, entities, buttons
        shown.source = str(params.get("text") or params.get("caption") or shown.source)
        kept = {
            key: value
            for key, value in place.posts[shown.id].items()
            if key not in (*_CONTENT, "reply_markup")
        }
        content = {key: value for key, value in content.items() if value}
        post = kept | content | {"edit_date": int(time.time())}
        place.posts[shown.id] = post | ({"reply_markup": markup} if markup else {})
        return place.posts[shown.id]

    def _do_deletemessage(self, params: Json) -> bool:
        place = self._writable(params)
        shown = place.shown.get(_integer(params, "message_id") or 0)
        if shown is None or shown.is_deleted:
            raise Refusal(400, "Bad Request: message to delete not found")
        shown.is_deleted = True
        return True

    def _do_sendchataction(self, params: Json) -> bool:
        self._writable(params)
        if params.get("action") not in ACTIONS:
            raise Refusal(400, "Bad Request: wrong parameter action in request")
        return True

    def _do_answercallbackquery(self, params: Json) -> bool:
        person = self._queries.get(str(params.get("callback_query_id")))
        if person is None:
            raise Refusal(
                400, "Bad Request: query is too old and response timeout expired or query ID is invalid"
            )
        text = str(params.get("text", ""))
        if units(text) > 200:
            raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
        self.told.append(Told(person, text, _boolean(params, "show_alert")))
        return True

    def _do_answerinlinequery(self, params: Json) -> bool:
        results = _decoded(params, "results") or []
        for one in results:
            _checked(one.get("reply_markup") or {})
        wrong = self.inline.answer(
            str(params.get("inline_query_id")),
            results,
            _integer(params, "cache_time"),
            is_personal=_boolean(params, "is_personal"),
        )
        if wrong:
            raise Refusal(400, f"Bad Request: {wrong}")
        return True

    def _do_getchat(self, params: Json) -> Json:
        name = str(params.get("chat_id", ""))
        named = [place for place in self.chats.values() if name == f"@{place.username}"]
        place = named[0] if named else self._readable(params)
        more = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _NO_GIFTS}
        return place.json() | more | ({"username": place.username} if place.username else {})

    def _do_getchatmember(self, params: Json) -> Json:
        place = self._readable(params)
        person = _integer(params, "user_id")
        if person is None or person <= 0:
            raise Refusal(400, "Bad Request: invalid user_id specified")
        return self._member(place, person)

    def _do_getchatadministrators(self, params: Json) -> list[Json]:
        place = self._readable(params)
        if place.type == "private":
            raise Refusal(400, "Bad Request: there are no administrators in the private chat")
        return [self._member(place, person) for person in place.admins]

    def _do_setmycommands(self, params: Json) -> bool:
        commands = _decoded(params, "commands") or []
        scope = _decoded(params, "scope") or {}
        if scope.get("type") == "chat" and int(scope["chat_id"]) not in self.chats:
            raise Refusal(400, "Bad Request: chat not found")
        if len(commands) > 100:
            raise Refusal(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
        for one in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", one["command"]):
                raise Refusal(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(one["description"]) <= 256:
                raise Refusal(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[_scope(params)] = commands
        return True

    def _do_deletemycommands(self, params: Json) -> bool:
        self.commands.pop(_scope(params), None)
        return True

    def _do_getmycommands(self, params: Json) -> list[Json]:
        return self.commands.get(_scope(params), [])

    def _do_setmydescription(self, params: Json) -> bool:
        return self._describe(params, "description", 512)

    def _do_getmydescription(self, params: Json) -> Json:
        return {"description": self._described(params, "description")}

    def _do_setmyshortdescription(self, params: Json) -> bool:
        return self._describe(params, "short_description", 120)

    def _do_getmyshortdescription(self, params: Json) -> Json:
        return {"short_description": self._described(params, "short_description")}

    def _describe(self, params: Json, what: str, longest: int) -> bool:
        text = str(params.get(what, ""))
        if len(text) > longest:
            raise Refusal(400, "Bad Request: BOT_DESCRIPTION_TOO_LONG")
        self.described[what, str(params.get("language_code", ""))] = text
        return True

    def _described(self, params: Json, what: str) -> str:
        return self.described.get((what, str(params.get("language_code", ""))), "")

    # --- chats and messages ---------------------------------------------------------------------------------

    def _readable(self, params: Json) -> Place:
        chat = _integer(params, "chat_id")
        if chat is None:
            raise Refusal(400, "Bad Request: chat_id is empty")
        place = self.chats.get(chat)
        if place is None:
            raise Refusal(400, "Bad Request: chat not found")
        if place.moved_to is not None:
            raise Refusal(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                {"migrate_to_chat_id": place.moved_to},
            )
        return place

    def _writable(self, params: Json) -> Place:
        place = self._readable(params)
        if place.is_blocked:
            is_person = place.type == "private"
            why = "blocked by the user" if is_person else f"kicked from the {place.type} chat"
            raise Refusal(403, f"Forbidden: bot was {why}")
        if place.is_mute:
            raise Refusal(400, "Bad Request: need administrator rights in the channel chat")
        thread = _integer(params, "message_thread_id")
        if place.topics and thread is not None and thread not in place.topics:
            raise Refusal(400, "Bad Request: message thread not found")
        if (thread or 1) in place.closed:
            raise Refusal(400, "Bad Request: TOPIC_CLOSED")
        return place

    def _text(
        self, params: Json, name: str, empty: str, long: str, limit: int = TEXT_LIMIT
    ) -> tuple[str, list[Json]]:
        source = str(params.get(name, ""))
        mode = str(params.get("parse_mode", "")).lower()
        if mode not in ("", "html"):
            raise Refusal(400, "Bad Request: unsupported parse_mode")
        try:
            text, entities = parse_html(source) if mode == "html" else (source.strip(), [])
        except ValueError as error:
            raise Refusal(400, f"Bad Request: can't parse entities: {error}") from None
        given = _decoded(params, "entities" if name == "text" else "caption_entities")
        if given and not mode:
            entities = [
                one for one in given if 0 <= one["offset"] < one["offset"] + one["length"] <= units(text)
            ]
        if not text:
            raise Refusal(400, f"Bad Request: {empty}")
        if units(text) > limit:
            raise Refusal(400, f"Bad Request: {long}")
        return text, entities

    def _show(
        self, place: Place, params: Json, text: str, entities: list[Json], *, content: Json, photo: str = ""
    ) -> Json:
        post: Json = {"from": self.me_as_user} | content
        if entities and "text" in content:
            post["entities"] = entities
        if markup := _keyboard(params):
            post["reply_markup"] = markup
        thread = _integer(params, "message_thread_id")
        if thread is not None and place.topics:
            post |= {"message_thread_id": thread, "is_topic_message": True}
        reply = _decoded(params, "reply_parameters") or {}
        target = place.posts.get(reply.get("message_id", 0))
        if reply and target is None and not reply.get("allow_sending_without_reply"):
            raise Refusal(400, "Bad Request: message to be replied not found")
        if target is not None:
            post["reply_to_message"] = {key: target[key] for key in target if key != "reply_to_message"}
        stored = self._store(place, post)
        preview = _decoded(params, "link_preview_options") or {}
        shown = Shown(
            place.id, stored["message_id"], text, str(params.get("text", "")), entities, photo=photo
        )
        shown.thread = post.get("message_thread_id")
        shown.reply_to = target["message_id"] if target is not None else None
        shown.has_preview = not preview.get("is_disabled", False)
        shown.texts.append(text)
        shown.buttons = _shown_buttons(markup)
        place.shown[shown.id] = shown
        return stored

    @property
    def me_as_user(self) -> Json:
        """The bot as author of its messages."""
        return {key: self.me[key] for key in ("id", "is_bot", "first_name", "username")}

    def _store(self, place: Place, post: Json) -> Json:
        """Give a message its id, its chat and its date."""
        stored = {"message_id": self._next_post, "date": int(time.time()), "chat": place.json()} | post
        self._next_post += 1
        place.posts[stored["message_id"]] = stored
        return stored

    def _member(self, place: Place, person: int) -> Json:
        user = place.members.get(person, {"id": person, "is_bot": False, "first_name": f"Person {person}"})
        user = {key: value for key, value in user.items() if key != "language_code"}
        match place.admins.get(person):
            case "creator":
                return {"status": "creator", "user": user, "is_anonymous": False}
            case "administrator":
                rights = dict.fromkeys(RIGHTS, True)
                if place.type == "channel":
                    rights["can_post_messages"] = not place.is_mute
                return {
                    "status": "administrator",
                    "user": user,
                    "can_be_edited": False,
                    "is_anonymous": False,
                } | rights
        return {"status": "member" if person in place.members else "left", "user": user}


async def _params(request: web.Request) -> Json:
    """Read parameters from wherever the Bot API takes them: the query, a form, a multipart form, JSON."""
    params: Json = dict(request.query)
    if request.content_type == "application/json":
        params |= await request.json()
    elif request.content_type == "multipart/form-data":
        for name, value in (await read_form(request)).items():
            params[name] = value.content if isinstance(value, Upload) else value
        for name, value in list(params.items()):
            if isinstance(value, str) and value.startswith("attach://"):
                params[name] = params.pop(value.removeprefix("attach://"))
    elif request.can_read_body:
        params |= dict(await request.post())
    return params


async def _silence(request: web.Request, *, is_reset: bool) -> web.StreamResponse:
    """Answer nothing, until the client goes away; with ``is_reset`` it is sent away."""
    if is_reset and request.transport is not None:
        request.transport.abort()
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def _integer(params: Json, name: str) -> int | None:
    value = params.get(name)
    try:
        return int(value) if value not in (None, "") else None
    except ValueError:
        return None


def _boolean(params: Json, name: str) -> bool:
    return str(params.get(name, "")).lower() in ("true", "yes", "1")


def _decoded(params: Json, name: str) -> Any:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise Refusal(400, f"Bad Request: can't parse {name} JSON object") from None


def _keyboard(params: Json) -> Json:
    """Read the buttons below a message as the server checks them: what each says is 1 to 64 bytes long."""
    return _checked(_decoded(params, "reply_markup") or {})


def _checked(markup: Json) -> Json:
    rows = markup.get("inline_keyboard", [])
    for button in (button for row in rows for button in row):
        if not button.get("text"):
            raise Refusal(400, 'Bad Request: can\'t parse inline keyboard button: field "text" is empty')
        if "url" in button:
            if not str(button["url"]).startswith("https://"):
                raise Refusal(400, "Bad Request: BUTTON_URL_INVALID")
        elif not 1 <= len(str(button.get("callback_data", "")).encode()) <= 64:
            raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
    return {"inline_keyboard": rows} if rows else {}


def _shown_buttons(markup: Json) -> list[list[tuple[str, str]]]:
    return [
        [(button["text"], button.get("callback_data") or button["url"]) for button in row]
        for row in markup.get("inline_keyboard", [])
    ]


def _scope(params: Json) -> tuple[str, str]:
    scope = _decoded(params, "scope") or {"type": "default"}
    return json.dumps(scope, sort_keys=True), str(params.get("language_code", ""))
