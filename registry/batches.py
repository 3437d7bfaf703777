"""Long lists in parts: a database takes only so many values in one question."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    source = iter(items)
    while some := list(islice(source, size)):
        yield some
