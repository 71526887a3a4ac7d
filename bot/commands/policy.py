"""Who may make alerts in a group: its admins choose."""

from __future__ import annotations

from bot.alerts.changes import PLAIN, Basis, Entry
from bot.alerts.message import say
from bot.alerts.people import ChatKind, Policy
from bot.alerts.translator import Translator
from bot.commands.request import Refusal, Request
from bot.ports import Replies


async def policy(request: Request) -> Replies:
    """Show who may make alerts in this group, or choose it."""
    tr, word = request.tr, request.given("who").lower()
    if request.caller.kind is ChatKind.PRIVATE:
        alone = tr("This is a private chat: nobody but you makes alerts here.")
        if word:
            raise Refusal(alone, tr("In a group its admins choose with {line}.", line=f"/policy {word[:16]}"))
        yield say(alone)
        return
    if not word:
        now = request.settings.policy
        other = next(one for one in Policy if one is not now)
        yield say(_said(now, tr), tr("Its admins choose: {line}", line=f"/policy {other}"))
        return
    if word not in set(Policy):
        raise Refusal(
            tr('"{word}" is neither members nor admins.', word=word[:64]),
            tr("Write it like this: {line}", line="/policy admins"),
        )
    yield say(*await _choose(request, Policy(word), PLAIN))


async def _choose(request: Request, wanted: Policy, basis: Basis) -> list[str]:
    before = await request.office.register.set_policy(request.caller, wanted, request.instant, basis=basis)
    tr, said = request.tr, _said(wanted, request.tr)
    if before is wanted:
        return [tr("It is so already. {said}", said=said)]
    if wanted is Policy.ADMINS:
        return [said, tr("The alerts that are there go on.")]
    return [said]


async def undo(request: Request, entry: Entry) -> Replies:
    """Choose what was chosen before."""
    assert entry.before is not None  # noqa: S101 - something always holds
    yield say(*await _choose(request, Policy(str(entry.before["value"])), Basis(undoes=entry.id)))


def described(entry: Entry, tr: Translator) -> str:
    """Say what an entry of the audit did to the policy of a group."""
    after = str(entry.after["value"]) if entry.after is not None else ""
    before = str(entry.before["value"]) if entry.before is not None else ""
    return tr("who may make alerts: {before} → {after}", before=before, after=after)


def _said(policy: Policy, tr: Translator) -> str:
    if policy is Policy.ADMINS:
        return tr("The admins of this group alone may make alerts in it and change them.")
    return tr("Everybody in this group may make alerts and change their own; its admins may change all.")
