"""Messages only say "go and look", and the first look is taken at once."""

from config import celery


def test_every_tick_of_the_beat_names_a_task_that_exists():
    celery.app.loader.import_default_modules()
    assert [
        e["task"] for e in celery.app.conf.beat_schedule.values() if e["task"] not in celery.app.tasks
    ] == []


def test_no_tick_carries_a_payload_or_a_time():
    assert all(set(entry) == {"task", "schedule"} for entry in celery.app.conf.beat_schedule.values())


def test_a_starting_worker_looks_at_everything_once(monkeypatch):
    sent = []
    monkeypatch.setattr(celery.app, "send_task", sent.append)
    celery.look_at_once()
    assert sent == [entry["task"] for entry in celery.app.conf.beat_schedule.values()]
