"""Redis as the queue, with one addition: what lies in the queue and is no message at all is put aside and logged. Left to
itself kombu would end the worker over it. The log names the kind of mistake, never the content.
"""

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

log = logging.getLogger("registry.queue")


class NoMessage(Exception):
    """It has not the shape of a message."""


class Message(virtual.Message):
    def __init__(self, payload: Any, channel: Any = None, **more: Any) -> None:
        try:
            super().__init__(payload, channel=channel, **more)
            where = self.delivery_info
            texts = (self.delivery_tag, where["exchange"], where["routing_key"])
            if not all(isinstance(text, str) for text in texts) or not isinstance(self.headers or {}, dict):
                raise TypeError("not texts")
        except Exception as error:
            raise NoMessage(type(error).__name__) from error


class Channel(redis.Channel):
    Message = Message

    def _brpop_read(self, **options: Any) -> Any:
        self.connection.was_read = False
        try:
            return super()._brpop_read(**options)
        except NoMessage as error:
            return _put_aside(str(error))
        except (ValueError, RecursionError) as error:  # no JSON, or nested without end
            if self.connection.was_read:  # the mistake lies further in, and is not about reading
                raise
            return _put_aside(type(error).__name__)


class Transport(redis.Transport):
    Channel = Channel
    was_read = False

    def _deliver(self, message: Any, queue: str) -> None:
        self.was_read = True
        super()._deliver(message, queue)


def _put_aside(why: str) -> bool:
    log.warning("Put aside what lay in the queue and is no message: %s", why)
    return True


def use() -> None:
    """For every connection to Redis from here on."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = "config.broker:Transport"
