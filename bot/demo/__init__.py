"""The demonstration: real days of the market, played fast on this machine."""

from bot.demo.story import play

__all__ = ["play"]
