"""Long lists in parts."""

from hypothesis import given
from hypothesis import strategies as st

from registry.batches import batches


@given(st.lists(st.integers()), st.integers(1, 7))
def test_nothing_is_lost_doubled_or_moved(items: list[int], size: int) -> None:
    parts = list(batches(iter(items), size))
    assert [item for part in parts for item in part] == items
    assert all(len(part) == size for part in parts[:-1])
    assert all(0 < len(part) <= size for part in parts)
