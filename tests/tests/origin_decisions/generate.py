"""Random evaluation requests with the answers of the origin's own engine, one JSON object a line.

usage: generate.py SEED COUNT

A request is text, in the form of `flags eval --stdin`; the origin decides what it reads from that very text.
"""
import asyncio
import json
import random
import sys
import uuid
from datetime import UTC, datetime, timedelta, timezone

from litestar_flags.context import EvaluationContext
from litestar_flags.engine import EvaluationEngine
from litestar_flags.models.segment import Segment
from litestar_flags.storage.memory import MemoryStorageBackend
from litestar_flags.storage.redis import RedisStorageBackend
from litestar_flags.time_rules import TimeBasedRuleEvaluator

R = random.Random(int(sys.argv[1]))
COUNT = int(sys.argv[2])
RECORDS = RedisStorageBackend(redis=None)
# json.dumps would write Infinity, which is no JSON; this marker becomes a number that reads as it.
HUGE = "\u2603HUGE\u2603"

TEXTS = ["", "a", "A", "ann", "ann@example.com", "bob@example.org", "US", "NL", "free", "pro", "1", "1.0", "18", "True", "None", "[", "é",
         "日本語", "ann\n", " x ", "1.2.3", "0", "it's", 'say "x"', "a b", "straße", "\t", "a\\b", "abc123", "x&y", "a{,3}", "[1, 2]", "{'a': 1}"]
NUMBERS = [0, 1, -1, 2, 17, 18, 18.0, 18.5, 0.1, 0.5, 1e16, 1e22, 1e-5, 1e-4, 123456789012345680, 2**53, 2**53 + 1, float(2**53),
           2**63 - 1, 2**63, -(2**63), 2**70, 2**70 + 1, -(2**70), float(2**70), -0.0, 65, 3.0, HUGE, -17.25, 1e300]
NAMES = ["plan", "age", "email", "roles", "beta", "version", "since", "note", "deep", "x"]
STANDARD = ["targeting_key", "user_id", "organization_id", "tenant_id", "environment", "app_version", "ip_address", "user_agent", "country"]
METHODS = ["get", "merge", "with_attributes", "__class__"]
VERSIONS = ["1", "1.2", "1.2.0", "1.10.0", "1.10", "2", "2.0.0-rc1", " 1.2", "1.2 ", "1_0.2", "+1.2", "-1.2", "1..2", "", "01.2", "1.2.3.4", "1.0.0.0",
            "99999999999999999999.1", "99999999999999999999.2", "v1", "1. 2", "1.2\n", "1.\x1f2", 1, 1.5, 2.0, True, 10, "junk", None, [1], 2**70, 1e22]
OPERATORS = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with", "matches", "semver_eq",
             "semver_gt", "semver_lt", "date_after", "date_before", "time_window", "in_segment", "not_in_segment"]
PATTERNS = [r"ann", r"nn", r".*@example\.com$", r"[a-c]\w+@", r"(", r"^a", r"a$", r"ann$", r"ann\Z", r"\d+", r"\w+\s?\w*$", r"[^@]+@", r"(?i)ANN", r"a(?i)nn",
            r"(?i:A)nn", r"[a&&b]", r"x[&]y", r"[[]", r"[]a]", r"a{,3}", r"a{,3}$", r"{", r"a{1", r"a{2,1}", r"a**", r"*a", r"^*", r"(?P<n>a)nn", r"(?P<1>a)", r"(?:a|b)+", r"(?#c)(?i)ANN", r"(?ii:A)nn", r"(?a)(?u)ann", r"(?au:a)", r"(?x) (?i) A N", r"[\w.]{1,64}@[\w.]{1,255}$",
            r"\bann\b", r".*\bx\b", r"(a|b$)", r"(?x) a n  n # c", r"(?m)^ann$", r"(?s).+", r".+$", r"\S+$", r"[\w.-]+@[\w.-]+$", r"é", r"[à-ü]", r"\u00e9", r"\xe9", r"\p{L}",
            r"日本", r"\W", r"\D+$", r"[1-", r"[z-a]", r"a|", r"|b", r"", r"True", r"None", r"\[1", r"(?a)\w+$", r"\07", r"\t", r"STRASSE", r"(?i)STRASSE", r"a\\b",
            r"a{4294967295}", r"a{99999999999999}", r"(?#c)a", r"a(?#c)+", r"(?:)", r"(?:)*", r"()", r"a??n", r"\Aa", r"a\Z", r"a\z", r"[a-z]{3}\d{3}$", r"(?i)[a-z]+\d", r"\.", r"[\d\s]+", r"[^\W\d]+$"]
UNTRANSLATABLE = [r"(?=a)ann", r"(?!b)a", r"(?<=a)n", r"(a)\1", r"a*+", r"(?>a)nn", r"a$\n", r"(?P<n>a)(?P=n)"]
ATOMS = ["a", "n", "b", ".", r"\w", r"\d", r"\s", "[a-z]", "[^a]", "@", "1", r"\.", "(?:an)", "(n|b)", "é", "x"]
QUANTIFIERS = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{,2}", "*?", "+?"]
ZONES = ["Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "No/Such_Zone"]


def chance(p):
    return R.random() < p


def uid():
    return str(uuid.UUID(int=R.getrandbits(128), version=4))


def value(depth=2):
    kind = R.randrange(10 if depth else 7)
    if kind == 0:
        return None
    if kind == 1:
        return chance(0.5)
    if kind in (2, 3):
        return R.choice(NUMBERS)
    if kind < 7:
        return R.choice(TEXTS)
    if kind < 9:
        return [value(depth - 1) for _ in range(R.randrange(4))]
    return {R.choice(NAMES + TEXTS): value(depth - 1) for _ in range(R.randrange(3))}


def date_text():
    t = datetime(2026, 1, 1) + timedelta(seconds=R.randrange(-(10**8), 10**8))
    day = R.choice([f"{t:%Y-%m-%d}"] * 6 + [f"{t:%Y%m%d}", f"{t.year}-{t.month}-{t.day}", t.strftime("%G-W%V-%u"), t.strftime("%GW%V%u"), t.strftime("%G-W%V"), t.strftime("%GW%V"),
                                           f"{t.year}-{t.month:02}- {t.day % 9 + 1}", f"{t:%Y-%m}", f"{t:%y-%m-%d}"])
    if chance(0.2):
        return day + R.choice([""] * 9 + [" ", "\n", "T", "-", "x", "5"])
    clock = R.choice([f"{t:%H:%M:%S}"] * 5 + [f"{t:%H:%M}", f"{t:%H%M%S}", f"{t:%H}", f"{t:%H%M}", f"{t.hour}:{t.minute}:{t.second}", f"{t:%H:%M:60}", "24:00:00", "23:59:59", "00:00:00"])
    clock += R.choice([""] * 6 + [".5", ".123456", ".1234567", ",25", ".", ".000001", ".123x", " ", ":5", ":123", "5", "56", "123456x", ".123456x"])
    zone = R.choice([""] * 4 + ["Z", "+00:00", "+02:00", "-05:30", "+0200", "+02", "+05:53:28", "-00:00:30.5", "+24:00", "+23:59", "z", "+2:00", "+02:00:00", "+0200:00", "-0530", " +02:00", "+02:60"])
    return day + R.choice(["T"] * 6 + [" "] * 3 + ["t", "  ", "x", "_"]) + clock + zone


def date():
    return R.choice([date_text] * 12 + [
        lambda: R.randrange(-(10**10), 10**10), lambda: R.uniform(-1e9, 3e9), lambda: R.choice([1767225600, 1767225600.5, 0.0000005, 1.0000015, -0.5, True, False]),
        lambda: R.choice([10**12, 2**62, 2**70, -62135596800, -62135596801, 253402300799, 253402300800, HUGE, 1e300]),
        lambda: R.choice(["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "0001-01-01", "9999-12-31T23:59:59.999999", "0000-01-01", "10000-01-01"]),
        lambda: R.choice(["soon", "", "2026", "2026-01", "20260101", "2026-02-30", "2026-13-01", "never ever"]), value])()


def clock():
    return R.choice(["09:00", "17:00", "22:00", "06:00:30", "9:5", "24:00", "23:59:59", "0:0", "12", "x", "", "09:60", "12:00:61", " 1: 2", "-1:00", "+9:00", "1_0:00",
                     "09:00:00:99", "99999999", "9:x", "00:00", "12:30:45"])


def window():
    if chance(0.05):
        return value()
    w = {"start": clock(), "end": clock()} if chance(0.6) else {"start": date(), "end": date()}
    if chance(0.08):
        w[R.choice(["start", "end"])] = R.choice([None, 9, ["09:00"], "99999999999:00", "1:99999999999", date(), clock(), {"a": 1}, True])
    if chance(0.04):
        del w[R.choice(["start", "end"])]
    if chance(0.2):
        w["timezone"] = R.choice([*ZONES, "UTC", None, 5])
    return w


def pattern():
    r = R.random()
    if r < 0.03:
        return value()
    if r < 0.1:
        return R.choice(UNTRANSLATABLE)
    if r < 0.5:
        return R.choice(PATTERNS)
    return R.choice(["", "", "^", "(?i)"]) + "".join(R.choice(ATOMS) + R.choice(QUANTIFIERS) for _ in range(R.randrange(1, 5))) + R.choice(["", "", "$", r"\Z", "|b"])


def condition(segments):
    r = R.random()
    if r < 0.004:
        return R.choice(["text", 5, None, [], [{"attribute": "plan"}], True])
    op = R.choice(OPERATORS)
    attribute = R.choice(NAMES) if chance(0.75) else R.choice([*STANDARD, "timestamp", "attributes", "", "nope"])
    expected = value() if chance(0.3) else None
    if op in ("in_segment", "not_in_segment"):
        expected = R.choice([*[s["name"] for s in segments], *[s["id"] for s in segments], "no-such-segment", uid(), None, 5, "5", *[s["id"].replace("-", "").upper() for s in segments],
                             *["{" + s["id"] + "}" for s in segments], *["urn:uuid:" + s["id"] for s in segments],
                             *["+" + s["id"].replace("-", "")[1:] for s in segments]])
    elif op.startswith("semver"):
        attribute = R.choice(["version", "app_version"])
        expected = R.choice(VERSIONS) if chance(0.9) else value()
    elif op.startswith("date"):
        attribute = R.choice(["since", "since", "timestamp"])
        expected = date()
    elif op == "time_window":
        attribute = R.choice(["since", "since", "timestamp"])
        expected = window()
    elif op == "matches":
        attribute = R.choice(["email", "note", "note", "x"])
        expected = pattern()
    elif expected is None and chance(0.9):
        if op in ("in", "not_in"):
            expected = R.choice([[R.choice(TEXTS) for _ in range(R.randrange(12))], [value(1) for _ in range(R.randrange(4))], R.choice(TEXTS), {R.choice(TEXTS): 1}, value()])
        elif op in ("gt", "gte", "lt", "lte"):
            attribute, expected = R.choice([("age", R.choice(NUMBERS)), ("age", R.choice(NUMBERS)), ("plan", R.choice(TEXTS)), ("roles", value())])
        else:
            expected = R.choice(TEXTS + NUMBERS)
    c = {"attribute": attribute, "operator": op, "value": expected}
    r = R.random()
    if r < 0.02:
        c["operator"] = R.choice(["no_such", None, 5, [], "EQ", "cidr", "semver_gte", ""])
    elif r < 0.03:
        del c["operator"]
    elif r < 0.04:
        del c["value"]
    elif r < 0.05:
        del c["attribute"]
    elif r < 0.06:
        c["attribute"] = R.choice([None, 5, True, ["a"], {}])
    elif r < 0.063:
        c["attribute"] = R.choice(METHODS)
    elif r < 0.07:
        c["negate"] = True
    return c


def segments():
    n = R.randrange(5)
    all_ids = ["0" + uid()[1:] if chance(0.2) else uid() for _ in range(n)]
    out = []
    for k in range(n):
        parent = None
        if chance(0.5):
            parent = R.choice([*all_ids, uid()]) if chance(0.3) else (all_ids[k - 1] if k else None)
        out.append({"id": all_ids[k], "name": f"seg {k}", "conditions": None, "parent_segment_id": parent, "enabled": chance(0.9)})
    for s in out:
        s["conditions"] = [condition(out) for _ in range(R.choice([0, 0, 1, 1, 2]))]
    return out


def flag(segs):
    kind = R.choice(["boolean", "boolean", "string", "number", "json"])
    variants = []
    if chance(0.35):
        for k in R.sample(["a", "b", "B", "é", "v10", "v2", "日", ""], R.randrange(1, 5)):
            v = {"enabled": R.choice([True, False, False, None, "yes", 1])} if chance(0.6) else value()
            variants.append({"id": uid(), "key": k, "name": k, "description": None, "value": v, "weight": R.choice([0, 1, 10, 25, 33, 34, 50, 50, 100, 150, -20])})
    rules = [{"id": uid(), "name": R.choice([f"rule {j}", "règle", ""]), "description": None, "priority": R.randrange(-2, 4), "enabled": chance(0.92),
              "conditions": [condition(segs) for _ in range(R.choice([0, 1, 1, 1, 1, 2, 2, 3]))], "serve_enabled": chance(0.7), "serve_value": None if chance(0.4) else value(),
              "rollout_percentage": R.choice([None] * 6 + [0, 1, 10, 33, 50, 66, 90, 99, 100, -5, 150])} for j in range(R.choice([0, 1, 1, 2, 2, 3]))]
    if rules and chance(0.03):  # else few decisions depend on the zone of a window
        hour = R.randrange(24)
        zoned = {"start": f"{hour:02}:00", "end": f"{(hour + 9) % 24:02}:00", "timezone": R.choice(ZONES)}
        rules[0].update(priority=-9, conditions=[{"attribute": "timestamp", "operator": "time_window", "value": zoned}])
    elif rules and chance(0.01):
        rules[0].update(priority=-9, conditions=[{"attribute": "email", "operator": "matches", "value": R.choice(UNTRANSLATABLE)}])
    return {"id": uid(), "key": R.choice(TEXTS[1:] + ["new-checkout", "k" * 40]) + str(R.randrange(99)), "name": "f", "description": None, "flag_type": kind,
            "status": R.choice(["active"] * 14 + ["inactive", "archived"]), "default_enabled": chance(0.5), "default_value": value(), "tags": [], "metadata": {},
            "rules": rules, "variants": variants, "created_at": None, "updated_at": None}


def cron_field(low, high):
    n = lambda: R.randrange(low, high + 1)
    return R.choice([lambda: "*"] * 5 + [lambda: str(n()), lambda: f"*/{R.choice([1, 2, 3, 5, 15])}", lambda: "{}-{}".format(*sorted([n(), n()])), lambda: f"{n()},{n()},{n()}",
                                        lambda: f"{n()}-{n()}", lambda: f"{n()}-{n()}/2", lambda: f"{n()},{n()}-{n()}", lambda: f"{n()}/{R.choice([1, 2, 0])}",
                                        lambda: R.choice(["*/0", "mon", "99", "-5", "*/x", "1,x", "1-", "+3", "1_0", "7", "*/-2", "*/99999999999999999999", "0-0/0", "?", "1,2/5", "*/5/2", "-"])])()


def schedule(flag_id, k, at):
    kind = R.choice(["daily", "weekly", "monthly", "cron"])
    times = ["00:00:00", "09:00:00", "17:00:00", "22:00:00", "06:00:00", "23:59:59", "12:30:15.000500", "", None, f"{at:%H:%M:%S}", f"{at:%H:%M}"]
    cron = " ".join([cron_field(0, 59), cron_field(0, 23), cron_field(1, 31), cron_field(1, 12), cron_field(0, 6)])
    if chance(0.5):
        cron = R.choice(["* * * * *", f"{at.minute} * * * *", f"* {at.hour} * * *", "*/5 * * * 1-5", "", "* * * *", " * *  * * * ", None, "bad", f"* * {at.day} * 1", "*/0 * * * *", "* */0 * * *", f"{(at.minute + 1) % 60} */0 * * *"])
    s = {"id": uid(), "flag_id": flag_id if chance(0.97) else uid(), "name": f"w{k}", "recurrence_type": kind, "start_time": R.choice(times), "end_time": R.choice(times),
         "days_of_week": R.choice([None, [0, 1, 2, 3, 4], [5, 6], [], [at.weekday()], [9]]), "days_of_month": R.choice([None, [1, 15], [31], [at.day], []]),
         "cron_expression": cron if kind == "cron" or chance(0.1) else None, "timezone": "UTC" if chance(0.96) else R.choice(ZONES), "enabled": chance(0.93), "created_at": None, "updated_at": None}
    if chance(0.15):
        s["valid_from"] = (at + timedelta(seconds=R.choice([-9999, 0, 1, 9999]))).isoformat()
    if chance(0.15):
        s["valid_until"] = (at + timedelta(seconds=R.choice([-9999, 0, -1, 9999]))).isoformat()
    return s


def context():
    c = {}
    ids = ["u1", "u2", "", "same", "1"]
    if chance(0.85):
        c["targeting_key"] = R.choice([*ids, f"user-{R.randrange(999)}", "Zoë", "日本語" * 9])
    for name in ("user_id", "organization_id", "tenant_id"):
        if chance(0.4):
            c[name] = R.choice(ids)
    if chance(0.5):
        c["country"] = R.choice(["US", "NL", ""])
    if chance(0.5):
        c["app_version"] = R.choice([v for v in VERSIONS if isinstance(v, str)])
    for name in ("environment", "ip_address", "user_agent"):
        if chance(0.15):
            c[name] = R.choice(TEXTS)
    a = {}
    good = {"plan": lambda: R.choice(TEXTS), "age": lambda: R.choice(NUMBERS), "email": lambda: R.choice(TEXTS[3:6]), "roles": lambda: [R.choice(TEXTS) for _ in range(R.randrange(4))],
            "beta": lambda: chance(0.5), "version": lambda: R.choice(VERSIONS), "since": date, "note": lambda: R.choice(TEXTS), "deep": value, "x": value}
    for name in NAMES:
        if chance(0.7):
            a[name] = good[name]() if chance(0.85) else value()
    if chance(0.1):
        a[R.choice([*STANDARD, "timestamp", "", "attributes"])] = value()
    c["attributes"] = a
    return c


def request():
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=R.randrange(4 * 10**7), microseconds=R.choice([0, 0, 500000, 1]))
    segs = segments()
    f = flag(segs)
    ctx = context()
    overrides = []
    if chance(0.25):
        for _ in range(R.randrange(1, 4)):
            kind = R.choice(["user", "organization", "tenant", "targeting_key", "team"])
            entity = ctx.get({"user": "user_id", "organization": "organization_id", "tenant": "tenant_id"}.get(kind, "targeting_key")) or R.choice(["u1", "same"])
            overrides.append({"id": uid(), "flag_id": f["id"] if chance(0.95) else uid(), "entity_type": kind, "entity_id": entity, "enabled": chance(0.5), "value": value(),
                              "expires_at": R.choice([None, None, (at + timedelta(microseconds=R.choice([-1, 1, 10**9, -(10**9), 0 if chance(0.2) else 1]))).isoformat()]), "created_at": None, "updated_at": None})
    r = {"flag": f, "context": ctx, "at": at.isoformat()}
    if overrides:
        r["overrides"] = overrides
    if segs:
        r["segments"] = segs
    if chance(0.2):
        r["time_schedules"] = [schedule(f["id"], k, at) for k in range(R.randrange(1, 4))]
    if chance(0.5):
        r["default"] = value()
    return json.dumps(r, ensure_ascii=chance(0.2)).replace(json.dumps(HUGE), "1e400").replace(json.dumps(HUGE, ensure_ascii=False), "1e400").replace(HUGE, "huge").replace(json.dumps(HUGE)[1:-1], "huge")


async def decide(r):
    at = datetime.fromisoformat(r["at"])
    store = MemoryStorageBackend()
    f = RECORDS._deserialize_flag(json.dumps(r["flag"]))
    await store.create_flag(f)
    for s in r.get("segments", []):
        parent = s["parent_segment_id"]
        # Past the store's own check for circles, which other writers do not make.
        segment = Segment(id=uuid.UUID(s["id"]), name=s["name"], conditions=s["conditions"], parent_segment_id=parent and uuid.UUID(parent), enabled=s["enabled"])
        store._segments[segment.id] = segment
        store._segments_by_name[segment.name] = segment
    live = {}  # the store would judge expiry by its clock, not by the request's instant
    for o in r.get("overrides", []):
        record = RECORDS._deserialize_override(json.dumps(o))
        live.pop((record.flag_id, record.entity_type, record.entity_id), None)
        if not record.is_expired(at):
            record.expires_at = None
            live[record.flag_id, record.entity_type, record.entity_id] = record
    for record in live.values():
        await store.create_override(record)
    for s in r.get("time_schedules", []):
        if s["flag_id"] == r["flag"]["id"]:
            record = RECORDS._deserialize_time_schedule(json.dumps(s))
            for member in ("valid_from", "valid_until"):
                if member in s:
                    setattr(record, member, datetime.fromisoformat(s[member]))
            f.time_schedules.append(record)
    try:
        d = await EvaluationEngine().evaluate(f, EvaluationContext(**r["context"], timestamp=at), store, time_evaluator=TimeBasedRuleEvaluator())
    except Exception as exc:
        return {"value": r.get("default"), "reason": "ERROR", "variant": None, "error_code": "GENERAL_ERROR", "exception": type(exc).__name__}
    return {"value": d.value, "reason": d.reason.value, "variant": d.variant, "error_code": None}


def openings(r):
    """When each schedule opens next, or None."""
    out = []
    for s in r.get("time_schedules", []):
        record = RECORDS._deserialize_time_schedule(json.dumps(s))
        for member in ("valid_from", "valid_until"):
            if member in s:
                setattr(record, member, datetime.fromisoformat(s[member]))
        try:
            at = TimeBasedRuleEvaluator().get_next_occurrence(record, datetime.fromisoformat(r["at"]))
        except ZeroDivisionError:
            at = None
        out.append(at and at.isoformat())
    return out


def answer_text(answer):
    """As JSON, infinity as a number again."""
    return json.dumps(answer, ensure_ascii=False).replace("-Infinity", "-1e400").replace("Infinity", "1e400")


async def main():
    for _ in range(COUNT):
        text = request()
        expected = await decide(json.loads(text))
        expected["openings"] = openings(json.loads(text))
        print('{"request": ' + text + ', "expected": ' + answer_text(expected) + "}")


sys.stdout.reconfigure(encoding="utf-8")
asyncio.run(main())
