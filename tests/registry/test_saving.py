"""Of two people who opened the same record, one saves."""

import pytest

from registry.access.models import Site
from registry.saving import ChangedMeanwhile, claim_version, new_token


@pytest.mark.django_db
def test_a_version_is_claimed_once(acting: None, riverside: Site) -> None:
    opened = riverside.version
    claim_version(riverside, opened)
    assert riverside.version == opened + 1
    with pytest.raises(ChangedMeanwhile):
        claim_version(riverside, opened)
    riverside.refresh_from_db()
    assert riverside.version == opened + 1


@pytest.mark.django_db
def test_a_row_that_is_no_longer_as_it_must_be_is_not_claimed(acting: None, riverside: Site) -> None:
    with pytest.raises(ChangedMeanwhile):
        claim_version(riverside, riverside.version, name="Elsewhere")


def test_every_form_has_a_token_of_its_own() -> None:
    assert len({new_token() for _ in range(50)}) == 50
    assert len(new_token()) <= 40
