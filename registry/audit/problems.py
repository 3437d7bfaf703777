"""One thing found wrong with the trail: what kind, where, and in words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    kind: str
    where: str
    what: str
