"""Why something cannot be seen or sent, in a person's language: it is said in English, and kept so."""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

from bot.alerts.sentences import venue_name
from bot.alerts.translator import Translator
from bot.rules.phrases import to_say

CAUSES = (
    to_say("{name} does not answer in time"),
    to_say("{name} cannot be reached"),
    to_say("{name} cannot be reached ({kind})"),
    to_say("{name} does not allow it (code {code})"),
    to_say("{name} refuses the message (code {code})"),
    to_say("{name} answers HTTP {status}"),
    to_say("{name} answers with an error (HTTP {status})"),
    to_say("{name} answers with an error"),
    to_say("{name} asks to slow down (HTTP {status})"),
    to_say("{name} asks to slow down"),
    to_say("{name} refuses this country or network (HTTP {status}); leave it out or move"),
    to_say("{name} refuses this country or network; leave it out or move"),
    to_say("{name} refuses this server or its key (HTTP {status})"),
    to_say("{name} does not take the key (HTTP {status}): check it, and its plan"),
    to_say("{name} does not take the key: check it, and its plan"),
    to_say("{name} does not know the instrument"),
    to_say("{name} does not offer this"),
    to_say("{name} does not list {instrument}"),
    to_say("{name} no longer lists {instrument}"),
    to_say("{name} answers nonsense: {wrong}"),
    to_say("{name} answers nonsense"),
    to_say("{name} gives no candles"),
    to_say("{name} gives no new candles"),
    to_say("{name} has not said what it lists"),
    to_say("{name} is not looked at any more"),
    to_say("nobody looks at the metrics just now"),
    to_say("nobody looks at {name} just now"),
    to_say("{name} has no price of then to go on from"),
    to_say("{name} has no stream here (HTTP {status})"),
    to_say("{name} refuses the stream (HTTP {status})"),
    to_say("{name} closed the stream"),
    to_say("{name} is about to stand in"),
    to_say("the stream of {name} fell silent"),
    to_say("the stream of {name} acknowledges nothing"),
    to_say("the stream of {name} tells nothing of {instruments}"),
    to_say("the stream of {name} failed by a mistake of this program ({kind})"),
    to_say("looking at {name} failed by a mistake of this program ({kind})"),
    to_say("{name} and this computer differ by {hours} hours in their clocks"),
    to_say("{name} shows {value}, which no second source bears out"),
    to_say("{name} shows quite another price of {instrument}"),
    to_say("there is no {file} in the folder of {setting}"),
    to_say("{file} in the folder of {setting} cannot be read"),
    to_say("{file} in the folder of {setting} is too big to be a page"),
    to_say("too many questions wait for {name}"),
    to_say("no answer in time"),
    to_say("no configured exchange can be used from here"),
    to_say("no configured exchange gives {instrument}"),
    to_say(
        "from Coinalyze a lower bound: the sum of the largest perpetuals, {few} of a coin, {many} for all"
    ),
    to_say("of the first dated future with {days} or more days to run, simple interest"),
    to_say("with {exchanges} among them"),
    to_say("set {settings}, {hint}"),
    to_say("set {settings}"),
    to_say("{name} cannot deliver to the webhook: {what}"),
    to_say("{name} refuses the webhook: {what}"),
    to_say("{name} refuses the message: {what}"),
    to_say("{name} refuses the token"),
    to_say("{name} says: {what}"),
    to_say("{name} {rest}"),
)
"""What feeds and platforms say, the more exact before the others; the last is of any source."""


def cause(reason: str, source: str, tr: Translator) -> str:
    """Say why a source cannot be seen, its name spelt as it spells itself; a reason not known stays."""
    for template in CAUSES:
        match = _pattern(template).fullmatch(reason)
        if match is None or (template == CAUSES[-1] and match["name"] != source):
            continue
        words = {field: _hint(word, tr) for field, word in match.groupdict().items()}
        if words.get("name") == source:
            words["name"] = venue_name(source)
        return tr(template, **words)
    return tr.known(reason)


def _hint(word: str, tr: Translator) -> str:
    """Translate what stands inside a reason, if it is a sentence of its own."""
    return cause(word, "", tr) if " " in word else word


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = (
        re.escape(text) + (f"(?P<{field}>.+?)" if field else "")
        for text, field, _, _ in Formatter().parse(template)
    )
    return re.compile("".join(parts), re.DOTALL)
