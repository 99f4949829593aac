"""Times the origin's Redis backend: url, prefix and a flag's JSON in, medians in seconds by operation out."""

import asyncio
import json
import statistics
import sys
import time
import uuid

from litestar_flags.models.override import FlagOverride
from litestar_flags.storage.redis import RedisStorageBackend

URL, PREFIX, FLAG = sys.argv[1:]


async def timed(turns, repeats, operation):
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        for _ in range(repeats):
            await operation()
        times.append((time.perf_counter() - start) / repeats)
    return statistics.median(times)


async def main():
    store = await RedisStorageBackend.create(URL, prefix=PREFIX)

    def flag(n):
        made = store._deserialize_flag(FLAG)
        made.id, made.key = uuid.uuid4(), f"flag-{n:06}"
        return made

    medians = {}
    one = flag(0)
    await store.create_flag(one)
    medians["get_flag"] = await timed(50, 20, lambda: store.get_flag(one.key))
    medians["commit one flag"] = await timed(50, 20, lambda: store.update_flag(one))
    for n in range(1, 100):
        await store.create_flag(flag(n))
    keys = [f"flag-{n:06}" for n in range(100)]
    medians["get_flags(100)"] = await timed(30, 3, lambda: store.get_flags(keys))
    for upto in (1_000, 10_000):
        count = len(await store._redis.smembers(f"{PREFIX}flags"))
        for n in range(count, upto):
            await store.create_flag(flag(n))
        medians[f"list {upto}"] = await timed(5, 1, store.get_all_active_flags)
    # It leaves overrides behind when a flag is deleted, so whoever wants them gone deletes each.
    for n in range(10_000):
        await store.create_override(FlagOverride(id=uuid.uuid4(), flag_id=one.id, entity_type="user", entity_id=str(n), enabled=True))

    async def delete():
        await store.delete_flag(one.key)
        for n in range(10_000):
            await store.delete_override(one.id, "user", str(n))

    medians["delete with 10000 owned"] = await timed(1, 1, delete)
    print(json.dumps(medians))


asyncio.run(main())
