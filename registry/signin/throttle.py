"""How many guesses are looked at. Kept in the cache that all processes share.

A pool has so many slots; a guess takes one and gives it back when it was right, a wrong one keeps it for `seconds`. A
slot is taken with `cache.add`, of which exactly one of many at the same moment succeeds, so no number of parallel
guesses gets past the limit, in whatever span of that length one counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core.cache import cache
from django.utils.crypto import salted_hmac

QUARTER_S = 15 * 60


class TooMany(Exception):
    """The guess is not even looked at."""


@dataclass(frozen=True)
class Pool:
    key: str
    slots: int
    seconds: int = QUARTER_S

    def names(self) -> list[str]:
        """Digests: people type passwords into the wrong box, and a cache is not the place for names either."""
        digest = salted_hmac("sign-in throttle", self.key, algorithm="sha256").hexdigest()[:32]
        return [f"throttle:{digest}:{number}" for number in range(self.slots)]


class Claim:
    def __init__(self, slots: list[str]) -> None:
        self.slots = slots

    def give_back(self) -> None:
        cache.delete_many(self.slots)


def claim(*pools: Pool) -> Claim:
    """One slot of each pool, or TooMany and none. Always in the given order, so that two guesses never wait in a circle."""
    taken = Claim([])
    for pool in pools:
        slot = _take(pool)
        if slot is None:
            taken.give_back()
            raise TooMany
        taken.slots.append(slot)
    return taken


def is_full(pool: Pool) -> bool:
    return len(cache.get_many(pool.names())) >= pool.slots


def _take(pool: Pool) -> str | None:
    names = pool.names()
    held = cache.get_many(names)
    return next((name for name in names if name not in held and cache.add(name, 1, pool.seconds)), None)
