"""Says in one line which service of `make test-services` cannot be reached, before any test starts."""

import os
import sys

import psycopg
import redis


def main() -> int:
    database, cache = os.environ["TEST_DATABASE_URL"], os.environ["TEST_REDIS_URL"]
    try:
        psycopg.connect(database.replace("postgres://", "postgresql://", 1), connect_timeout=5).close()
        redis.Redis.from_url(cache, socket_connect_timeout=5).ping()
    except psycopg.OperationalError as error:
        print(f"PostgreSQL cannot be reached (set TEST_DATABASE_URL): {error}", file=sys.stderr)
    except redis.RedisError as error:
        print(f"Redis cannot be reached at {cache} (set TEST_REDIS_URL): {error}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
