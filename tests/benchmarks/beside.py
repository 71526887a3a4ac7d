"""Run a program beside this one, so that what it works takes nothing of what is measured here."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def beside(module: str, *arguments: str) -> AsyncIterator[str]:
    """Start a module that prints the root at which it serves, and end it afterwards; gives the root."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
        env=dict(os.environ),
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            root = (await process.stdout.readline()).decode().strip()
        yield root
    finally:
        process.kill()
        await process.wait()
