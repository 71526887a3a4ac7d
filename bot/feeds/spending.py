"""What was spent of an allowance lately. Pure."""

from __future__ import annotations

from collections import deque


class Spending:
    """What was spent in the last ``window`` seconds, in steps of ``grain`` seconds."""

    def __init__(self, window: float, grain: float = 1.0) -> None:
        self._window = window
        self._grain = grain
        self._steps: deque[tuple[float, float]] = deque()

    def spend(self, amount: float, now: float) -> None:
        """Count an amount spent at an instant."""
        step = now // self._grain * self._grain
        before = self._steps.pop()[1] if self._steps and self._steps[-1][0] == step else 0.0
        self._steps.append((step, before + amount))
        self._forget(now)

    def spent(self, now: float) -> float:
        """Give what was spent in the window that ends now."""
        return sum(amount for at, amount in tuple(self._steps) if at > now - self._window)

    def _forget(self, now: float) -> None:
        while self._steps and self._steps[0][0] <= now - self._window:
            self._steps.popleft()
