"""The embedded broker does not grow for ever, and the trail does not stay open."""

import pytest
from kombu import Connection, Exchange, Queue

from followup.reminders import upkeep
from followup.reminders.tasks import sweep
from registry.audit.models import AuditSeal
from tests.cast import NOW


@pytest.mark.filterwarnings("ignore:.*noload")  # kombu's own models
def test_consumed_messages_are_deleted_and_waiting_ones_kept(settings, tmp_path):
    url = f"sqla+sqlite:///{tmp_path / 'broker.sqlite3'}"
    settings.CELERY_BROKER_URL = url
    assert upkeep.forget_consumed_messages() == 0  # no broker yet
    with Connection(url) as broker:
        queue = Queue("look", Exchange("look"), routing_key="look")
        producer = broker.Producer()
        for _ in range(3):
            producer.publish({}, exchange=queue.exchange, routing_key="look", declare=[queue])
        bound = queue(broker.default_channel)
        bound.get().ack()
        assert upkeep.forget_consumed_messages() == 1
        assert upkeep.forget_consumed_messages() == 0
        assert bound.get() is not None
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:6379/0"
    assert upkeep.forget_consumed_messages() == 0


@pytest.mark.django_db
def test_entries_that_wait_are_sealed_once(riverside):
    upkeep.seal_what_waits(now=NOW)
    upkeep.seal_what_waits(now=NOW)
    assert AuditSeal.objects.count() == 1


@pytest.mark.django_db
def test_the_task_takes_nothing_and_sweeps(riverside):
    sweep()
    assert sweep.ignore_result
    assert sweep.expires
