"""The tape: the bounded, ordered way from the feeds to watch, in memory or over NATS JetStream.

``bot.tape.jetstream`` needs the package nats-py, and is imported by whoever wants it: a single process has
neither.
"""

from bot.tape.memory import MemoryTape

__all__ = ["MemoryTape"]
