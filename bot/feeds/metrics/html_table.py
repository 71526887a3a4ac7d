"""Tables of web pages as rows of text. Pure."""

from __future__ import annotations

from html.parser import HTMLParser

_SILENT = frozenset({"script", "style", "template"})
_MOST_COLUMNS = 200


def read_tables(page: str, css_class: str) -> list[list[list[str]]]:
    """Read the tables of a class: rows of cells, a cell that spans columns once for each of them.

    A table that does not end is left out, for who knows what else it has. Tables inside cells are not read.
    """
    reader = _Reader(css_class)
    reader.feed(page)
    return reader.tables


class _Reader(HTMLParser):
    """Cells and rows end where the next begins: pages may leave their end tags out."""

    def __init__(self, css_class: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._class = css_class
        self._depth = 0
        self._silent = 0
        self._rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self._span = 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _SILENT:
            self._silent += 1
        elif tag == "table":
            if self._depth or self._class in (given.get("class") or "").split():
                self._depth += 1
                if self._depth == 1:
                    self._rows = []
        elif self._depth == 1 and tag in {"tr", "thead", "tbody", "tfoot"}:
            self._end_cell()
            if tag == "tr":
                self._rows.append([])
        elif self._depth == 1 and tag in {"td", "th"}:
            self._end_cell()
            self._cell = []
            span = given.get("colspan") or "1"
            self._span = int(span) if span.isdecimal() and len(span) < 4 else 1
        elif self._cell is not None and tag == "br":
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "table" and self._depth:
            if self._depth == 1:
                self._end_cell()
                self.tables.append([row for row in self._rows if row])
            self._depth -= 1
        elif self._depth == 1 and tag in {"td", "th", "tr"}:
            self._end_cell()

    def handle_data(self, data: str) -> None:
        if self._cell is not None and self._depth == 1 and not self._silent:
            self._cell.append(data)

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        if not self._rows:
            self._rows.append([])
        text = " ".join("".join(self._cell).split())
        room = _MOST_COLUMNS - len(self._rows[-1])
        self._rows[-1].extend([text] * min(self._span, room))
        self._cell, self._span = None, 1
