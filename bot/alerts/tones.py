"""Of which kind of news each telling is."""

from __future__ import annotations

from collections.abc import Mapping

from bot.alerts.message import Tone
from bot.alerts.models import Telling

TONES: Mapping[Telling, Tone] = {
    Telling.RING: "ring",
    Telling.REMINDER: "ring",
    Telling.RESOLUTION: "over",
    Telling.ENDED: "over",
    Telling.BACK: "over",
    Telling.CORRECTION: "trouble",
    Telling.LOST: "trouble",
    Telling.LAPSE: "trouble",
    Telling.DOUBT: "trouble",
    Telling.HEALTH: "trouble",
    Telling.LEVEL: "news",
    Telling.LINK: "news",
    Telling.PLAYBOOK: "news",
    Telling.WITHDRAWN: "news",
    Telling.RETURNED: "news",
}
"""Lists, reports and what operators say have none."""
