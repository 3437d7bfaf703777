"""Whoever can write into the queue still cannot make a worker run anything, nor stop it: it carries "go and look" alone."""

import base64
import json
import pickle
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.services.test_postgresql_and_redis import ASK_TO_SWEEP, Place, place, wait_until

__all__ = ["place"]  # a fixture

SWEEPS = "SELECT count(*) FROM reminders_sweeprun WHERE finished_at IS NOT NULL AND error = ''"


class WritesAFile:
    """What it does when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


def envelope(body: bytes, *, content_type: str, task: str = "followup.reminders.tasks.sweep") -> bytes:
    """A message as kombu lays it into a Redis list."""
    number = uuid.uuid4().hex
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "binary" if "python" in content_type else "utf-8",
            "content-type": content_type,
            "headers": {"lang": "py", "task": task, "id": number, "root_id": number, "parent_id": None},
            "properties": {
                "correlation_id": number, "delivery_mode": 2, "delivery_tag": number, "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": "celery"}, "priority": 0,
            },
        }
    ).encode()  # fmt: skip


def hostile(trap: Path) -> list[bytes]:
    arguments = json.dumps(
        [[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    ).encode()
    surplus = json.dumps([[str(trap)] * 3, {"path": str(trap)}, {}]).encode()
    yaml = f"!!python/object/apply:os.system ['touch {trap}']".encode()
    return [
        envelope(pickle.dumps(WritesAFile(trap)), content_type="application/x-python-serialize"),
        envelope(pickle.dumps(WritesAFile(trap)), content_type="application/json"),
        envelope(yaml, content_type="application/x-yaml"),
        envelope(arguments, content_type="application/json", task="os.system"),
        envelope(arguments, content_type="application/json", task="registry.nothing.tasks.here"),
        envelope(surplus, content_type="application/json"),
        envelope(b"[" * 10_000, content_type="application/json"),
        envelope(b'"' + b"x" * 8_000_000 + b'"', content_type="application/json"),
        envelope(b"\xff\xfe\x00", content_type="application/json"),
        envelope(b"null", content_type="application/json"),
    ]


def no_message() -> list[bytes]:
    """Not even the envelope of one."""
    whole = json.loads(envelope(b"[]", content_type="application/json"))
    properties = whole["properties"]
    return [
        b"\xff\xfe\x00canary", b"canary", b"", b"5", b"null", b"[]", b"{}", b"[" * 100_000,
        json.dumps(whole | {"properties": None}).encode(),
        json.dumps(whole | {"body": "canary!"}).encode(),
        json.dumps(whole | {"headers": "canary"}).encode(),
        json.dumps(whole | {"properties": properties | {"delivery_tag": ["canary"]}}).encode(),
        json.dumps(whole | {"properties": properties | {"delivery_info": {}}}).encode(),
    ]  # fmt: skip


@pytest.mark.services
@pytest.mark.slow
def test_what_is_no_message_at_all_is_put_aside_and_the_worker_goes_on(place: Place) -> None:
    import redis

    worker = place.worker("only")
    wait_until(lambda: place.ask(SWEEPS)[0][0] >= 1)
    queue = redis.Redis.from_url(place.environment["REDIS_URL"])
    for raw in no_message():
        queue.lpush("celery", raw)
    wait_until(lambda: queue.llen("celery") == 0)
    before = place.ask(SWEEPS)[0][0]
    place.manage("shell", "-v", "0", "-c", ASK_TO_SWEEP)
    wait_until(lambda: place.ask(SWEEPS)[0][0] > before)
    assert worker.poll() is None, "the worker died"
    log = (place.folder / "processes.log").read_text(errors="replace")
    assert log.count("Put aside what lay in the queue") == len(no_message()), log[-3000:]
    assert "canary" not in log


@pytest.mark.services
@pytest.mark.slow
def test_what_strangers_put_into_the_queue_is_refused_and_the_worker_goes_on(
    place: Place, tmp_path: Path
) -> None:
    import redis

    trap = tmp_path / "executed"
    worker = place.worker("only")
    wait_until(lambda: place.ask(SWEEPS)[0][0] >= 1)
    queue = redis.Redis.from_url(place.environment["REDIS_URL"])
    for message in hostile(trap):
        queue.lpush("celery", message)
    wait_until(lambda: queue.llen("celery") == 0)
    before = place.ask(SWEEPS)[0][0]
    place.manage("shell", "-v", "0", "-c", ASK_TO_SWEEP)
    wait_until(lambda: place.ask(SWEEPS)[0][0] > before)
    assert worker.poll() is None, "the worker died"
    assert not trap.exists(), "something was executed"
    log = (place.folder / "processes.log").read_text(errors="replace")
    words = ("Can't decode message body", "Received unregistered task", "Received invalid task message")
    assert sum(log.count(word) for word in words) >= 8, log[-3000:]
