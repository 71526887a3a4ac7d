"""Read a form with files as a wire server gets it, in memory.

A client may be killed in the middle of it; aiohttp's own reading would then leave a file open.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import BodyPartReader, web


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in a form."""

    name: str
    content: bytes


Form = dict[str, str | Upload]
_FORM = web.RequestKey("form", Form)


async def read_form(request: web.Request) -> Form:
    """Give the fields of a multipart form by name; it is read once, and known from then on."""
    if _FORM not in request:
        form: Form = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader) and part.name
            if part.filename:
                form[part.name] = Upload(part.filename, bytes(await part.read(decode=True)))
            else:
                form[part.name] = await part.text()
        request[_FORM] = form
    return request[_FORM]
