"""What is in the columns of a table. Knows nothing of where the table is kept."""

from __future__ import annotations

import csv
import heapq  # by `Counter`, once it runs; in a component everything is imported when it is built
import math
from collections import Counter
from collections.abc import Iterable, Iterator

MAX_COLUMNS = 1000
MAX_CELL = 1 << 20
"""Characters."""
MAX_DISTINCT = 10_000
"""Different texts of a column that are counted; beyond that their number is not known."""
TOP = 5


class NotATable(Exception):
    pass


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text that comes in pieces, with their ends, as `csv` wants them."""
    rest = b""
    for piece in pieces:
        whole, end, rest = (rest + piece).rpartition(b"\n")
        if len(rest) > 4 * MAX_CELL:
            raise NotATable(f"a line has more than {4 * MAX_CELL} bytes")
        # Bytes know fewer ends of lines than texts do, and the same as CSV.
        yield from map(bytes.decode, (whole + end).splitlines(keepends=True))
    if rest:
        yield rest.decode()


class Column:
    """Counts, and moments of the numbers, by Welford's method, which needs one pass."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells = self.missing = self.numbers = 0
        self.low, self.high = math.inf, -math.inf
        self.mean = self._squares = 0.0
        self.texts: Counter[str] | None = Counter()

    def add(self, cell: str) -> None:
        self.cells += 1
        if cell == "":
            self.missing += 1
            return
        number = _number(cell)
        if number is not None:
            self.numbers += 1
            self.low, self.high = min(self.low, number), max(self.high, number)
            off = number - self.mean
            self.mean += off / self.numbers
            self._squares += off * (number - self.mean)
        if self.texts is not None:
            self.texts[cell] += 1
            if len(self.texts) > MAX_DISTINCT:
                self.texts = None

    def summary(self) -> dict[str, object]:
        told: dict[str, object] = {"name": self.name, "missing": self.missing}
        present = self.cells - self.missing
        if self.texts is not None:
            told["distinct"] = len(self.texts)
        if present and self.numbers == present:
            spread = math.sqrt(self._squares / (present - 1)) if present > 1 else 0.0
            told.update(type="number", min=self.low, max=self.high, mean=self.mean, deviation=spread)
        else:
            told["type"] = "text" if present else "empty"
            if self.texts is not None:
                told["top"] = [{"value": value, "count": n} for value, n in self.texts.most_common(TOP)]
        return told


class Table:
    def __init__(self, text: Iterable[str]) -> None:
        csv.field_size_limit(MAX_CELL)
        self._rows = csv.reader(text, strict=True)
        try:
            names = next(self._rows)
        except StopIteration:
            raise NotATable("it is empty") from None
        except (csv.Error, UnicodeDecodeError) as error:
            raise self._problem(error) from None
        if len(names) > MAX_COLUMNS:
            raise NotATable(f"it has {len(names)} columns, of at most {MAX_COLUMNS}")
        self.columns = [Column(name) for name in names]
        self.rows = 0

    def read(self) -> Iterator[int]:
        """Reads to the end; gives the number of rows after each."""
        try:
            for cells in self._rows:
                if not cells:
                    continue
                if len(cells) != len(self.columns):
                    raise NotATable(
                        f"line {self._rows.line_num} has {len(cells)} cells, not {len(self.columns)}"
                    )
                for column, cell in zip(self.columns, cells):
                    column.add(cell)
                self.rows += 1
                yield self.rows
        except (csv.Error, UnicodeDecodeError) as error:
            raise self._problem(error) from None

    def _problem(self, error: Exception) -> NotATable:
        # A line that is no text was not counted any more.
        line = self._rows.line_num + isinstance(error, UnicodeDecodeError)
        return NotATable(f"line {line}: {error}")

    def summary(self) -> dict[str, object]:
        return {"rows": self.rows, "columns": [column.summary() for column in self.columns]}


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
