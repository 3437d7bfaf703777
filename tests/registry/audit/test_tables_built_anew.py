"""A registry in use is migrated: SQLite builds a table anew, and the trail's triggers stand afterwards as before."""

import pytest
from django.db import DatabaseError, connection, models, transaction

from followup.neoplasia.models import Neoplasm
from registry.access.models import Site
from registry.audit import triggers
from registry.audit.acting import acting_as
from registry.audit.models import AuditEntry

pytestmark = [pytest.mark.embedded, pytest.mark.django_db(transaction=True)]


def build_anew(fails: bool = False) -> None:
    """As a migration does, in one transaction: a field that asks for a table that triggers of other tables read."""
    told: models.BooleanField[bool, bool] = models.BooleanField(default=False)
    told.set_attributes_from_name("told")
    with connection.schema_editor() as editor:
        editor.add_field(Neoplasm, told)
        editor.remove_field(Neoplasm, told)
        if fails:
            raise RuntimeError("stopped half-way")


def test_the_triggers_come_back_and_the_trail_goes_on() -> None:
    before = triggers.made_by(connection)
    assert any("neoplasia_neoplasm" in sql for table, sql in before if table == "neoplasia_workupnote")
    build_anew()
    assert triggers.made_by(connection) == before
    assert triggers.missing_or_altered(connection) == []
    with pytest.raises(DatabaseError, match="nobody is acting"), transaction.atomic():
        Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="Europe/London")
    with acting_as("system:command"):
        Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="Europe/London")
    assert AuditEntry.objects.filter(table_name="access_site").count() == 1


def test_a_migration_that_stops_half_way_leaves_them_as_they_were() -> None:
    before = triggers.made_by(connection)
    with pytest.raises(RuntimeError):
        build_anew(fails=True)
    assert triggers.made_by(connection) == before
