"""The Redis backend of litestar-flags, driven line by line: what the tests in `tests/tests/origin` talk to.

    python driver.py URL PREFIX

A line in is a JSON request, [method, argument, ...]; a line out is its answer, {"result": ...} or
{"raised": [type, message]}. The first line out is {"result": [method, ...]}: what the backend offers.

A record is a string that holds its JSON as stored. The backend's own serialisers make and read it, so what
passes through here is what the backend itself would store and see, to the last digit.
"""

import asyncio
import inspect
import json
import sys
from uuid import UUID

from litestar_flags.client import FeatureFlagClient
from litestar_flags.context import EvaluationContext
from litestar_flags.storage.redis import RedisStorageBackend


def uuid_or_none(text):
    return None if text is None else UUID(text)


def same(value):
    return value


def methods(backend):
    """By name: how to read each argument, and how to write the result."""

    def optional(serialize):
        return lambda record: None if record is None else serialize(record)

    def every(serialize):
        return lambda records: [serialize(record) for record in records]

    def by_key(serialize):
        return lambda records: {key: serialize(record) for key, record in records.items()}

    read, write = {}, {}
    for kind in ("flag", "override", "scheduled_change", "time_schedule", "rollout_phase"):
        read[kind] = getattr(backend, f"_deserialize_{kind}")
        write[kind] = getattr(backend, f"_serialize_{kind}")

    table = {
        "get_flag": ([same], optional(write["flag"])),
        "get_flags": ([same], by_key(write["flag"])),
        "get_all_active_flags": ([], every(write["flag"])),
        "get_override": ([UUID, same, same], optional(write["override"])),
        "delete_flag": ([same], same),
        "delete_override": ([UUID, same, same], same),
        "health_check": ([], same),
        "close": ([], same),
        "get_scheduled_changes": ([uuid_or_none, same], every(write["scheduled_change"])),
        "get_time_schedules": ([uuid_or_none], every(write["time_schedule"])),
        "delete_time_schedule": ([UUID], same),
        "get_rollout_phases": ([UUID], every(write["rollout_phase"])),
        "update_flag": ([read["flag"]], write["flag"]),
        "update_scheduled_change": ([read["scheduled_change"]], write["scheduled_change"]),
    }
    for kind in read:
        table[f"create_{kind}"] = ([read[kind]], write[kind])
    return table


def offered():
    """The methods of the backend, but for the one that makes it."""
    members = inspect.getmembers(RedisStorageBackend, inspect.iscoroutinefunction)
    return [name for name, _ in members if not name.startswith("_")]


async def decide(backend, key, context):
    client = FeatureFlagClient(storage=backend)
    details = await client.get_boolean_details(key, False, EvaluationContext(**context))
    return {"value": details.value, "reason": details.reason.value, "variant": details.variant}


async def answer(backend, table, request):
    name, *arguments = json.loads(request)
    if name == "repr":
        # Not a method: what Python makes of a JSON text, for comparing values exactly.
        return repr(json.loads(arguments[0]))
    if name == "decide":
        # Nor this: what a service in Python answers, by the client of the library.
        return await decide(backend, *arguments)
    readers, written = table[name]
    arguments = [reader(argument) for reader, argument in zip(readers, arguments, strict=True)]
    return written(await getattr(backend, name)(*arguments))


def say(message):
    # Escaped, hence a line of its own whatever it holds.
    print(json.dumps(message), flush=True)


async def main(url, prefix):
    backend = await RedisStorageBackend.create(url, prefix=prefix)
    table = methods(backend)
    say({"result": [name for name in offered() if name != "create"]})
    for request in sys.stdin.buffer:
        try:
            say({"result": await answer(backend, table, request)})
        except Exception as error:
            say({"raised": [type(error).__name__, str(error)]})


asyncio.run(main(*sys.argv[1:]))
