"""The world of a synthetic ledger: what a company of that size would have written, as bytes, each day by itself.

Everything follows from seed, number of exchanges and days, so that days can be made side by side and made again. Some exchanges are
*planted*: they break a control, in a known number, so that whoever tests at that size knows what must be found.
Leaves out: files (`synth`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from affiant.ledger.envelope import MAX_INT, Draft, encode
from affiant.proof.pledges import pledge_digest

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
START_US = 1_735_689_600_000_000  # 2025-01-01T00:00:00Z
LONGEST_US = 20_000_000
KEYS, TENANTS, ROUTES = 40, 25, 6
PROVIDERS = ("harbor", "quay", "mole")
MODELS = ("scribe", "clerk", "notary", "herald", "usher")
PROBES = (("unauthenticated", 187), ("injection", 433), ("pii", 611), ("unapproved-model", 904))
PLANT_EVERY = 100_003
PLANTS = {501: "version", 1_501: "label", 2_501: "redaction"}
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _CROCKFORD for b in _CROCKFORD]
_OPENED = (
    '{"actor":"key:%s","at":%d,"body":{"commit_received":"%s","commit_sent":"%s","decisions":[{"acted":%d,"action":"redact","control":'
    '"PR-1.1","enforced":1,"found":%d,"guard":"pii"}],"epoch":%d,"est_tokens":%d,"key":"%s","label":"%s","links"'
    ':[{"cap":2,"model":"%s","provider":"%s","version":"%s"}],"mode":"enforce","overlap":0,"parts":%d,"route":"%s","stream":%d,"surface":'
    '"messages","trace":"%s","uninspected":0},"mono":%d,"policy":"%s","producer":"%s","ref":"%s","seq":%d,"tenant":"%s","tv":1,'
    '"type":"exchange.opened","v":1}'
)
_CLOSED = (
    '{"actor":"key:%s","at":%d,"body":{"attempts":[{"id":"%s","model":"%s","ms":%d,"provider":"%s","status":200,"version":"%s"}],'
    '"decisions":[],"key":"%s","model":"%s","ms":%d,"ms_added":%d,"outcome":"answered","provider":"%s",'
    '"released":"all","route":"%s","status":200,"tokens_in":%d,"tokens_out":%d,"trace":"%s"},"mono":%d,"policy":"%s","producer":"%s","ref":'
    '"%s","seq":%d,"tenant":"%s","tv":1,"type":"exchange.closed","v":1}'
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make.

    Args:
        exchanges: how many; each gives one opened and one closed event.
        days: over how many days, from 2025-01-01 UTC.
        seed: makes the same bytes again.
        origin: of the log, and `vkey` its key: both stand in entry 0.
        adopted: (control id, body of its `control.adopted`).
    """

    exchanges: int
    days: int
    seed: str
    origin: str
    vkey: str
    software: str
    adopted: tuple[tuple[str, Mapping[str, Any]], ...]

    def first_of(self, day: int) -> int:
        """Number of the first exchange that opens on a day or later."""
        return self.exchanges * day // self.days

    def start_of(self, day: int) -> int:
        """First instant of a day, µs."""
        return START_US + day * DAY_US


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange, before it is written."""

    number: int
    opened_us: int
    closed_us: int
    xid: str
    bits: bytes


def policy_digest(name: str) -> str:
    """Digest of a policy of this world."""
    return hashlib.sha256(f"synthetic policy {name}".encode()).hexdigest()[:8]


def planted(number: int) -> str:
    """What an exchange breaks: `version` (GOV-3.1), `label` (CO-1.1) or `redaction` (PR-1.1); "" for nothing."""
    return PLANTS.get(number % PLANT_EVERY, "")


def version_on(model: int, day: int) -> int:
    """Version of a model in force on a day: one model of the five gets a new one each 30 days, at midnight."""
    return 1 + sum(1 for change in range(1, day // 30 + 1) if change % len(MODELS) == model)


def _xid(at_us: int, bits: bytes) -> str:
    number = ((at_us // 1000) & ((1 << 48) - 1)) << 80 | int.from_bytes(bits, "big")
    return "ex_" + "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def _mono_ns(at_us: int) -> int:
    """What a process that began two hours before the first day and never stopped says of its age."""
    return min(max(0, at_us - START_US + 2 * HOUR_US) * 1000, MAX_INT)


def exchanges_of(plan: Plan, day: int, first: int | None = None) -> Iterator[Exchange]:
    """Exchanges that open on a day, in order of time; from the number `first` on."""
    begin, end, start = plan.first_of(day), plan.first_of(day + 1), plan.start_of(day)
    count = end - begin
    key = f"affiant synth 1/{plan.seed}/".encode()
    shake = hashlib.shake_128
    for number in range(begin if first is None else max(begin, first), end):
        bits = shake(key + b"%d" % number).digest(232)
        spread = int.from_bytes(bits[:4], "big")
        opened = start + ((number - begin) * DAY_US + (DAY_US * spread >> 32)) // count
        closed = opened + 300_000 + LONGEST_US * (bits[4] * bits[5]) // 66_000
        yield Exchange(number, opened, closed, _xid(opened, bits[8:18]), bits)


def late_of(plan: Plan, day: int) -> list[Exchange]:
    """Exchanges of a day that close after its midnight."""
    if day < 0:
        return []
    begin, end, midnight = plan.first_of(day), plan.first_of(day + 1), plan.start_of(day + 1)
    window = (end - begin) * (LONGEST_US + 1_000_000) // DAY_US + 2
    return [each for each in exchanges_of(plan, day, max(begin, end - window)) if each.closed_us >= midnight]


class _Facts:
    """What one exchange is about, from its bits."""

    __slots__ = ("key", "label", "model", "provider", "route", "tenant", "version")

    def __init__(self, each: Exchange, day: int) -> None:
        bits = each.bits
        which = bits[18] % len(MODELS)
        self.key = f"k{bits[19] % KEYS:02d}"
        self.tenant = f"t{bits[19] % KEYS % TENANTS:02d}"
        self.model = MODELS[which]
        self.provider = PROVIDERS[which % len(PROVIDERS)]
        self.route = f"route-{bits[20] % ROUTES}"
        self.label = "confidential" if bits[20] % ROUTES % 2 else "internal"
        self.version = f"1.{version_on(which, day)}"
        plant = planted(each.number)
        if plant == "version":
            self.version = "0.9"
        elif plant == "label":
            self.label = "restricted"


GATEWAY, PROBER, CONTROL, RECORDS = "n1/gateway/5e1f", "n1/gateway/5e20", "n1/control/5e21", "n1/records/0"


def opened_bytes(each: Exchange, day: int, seq: int) -> bytes:
    """The exchange.opened event."""
    bits, facts = each.bits, _Facts(each, day)
    found = bits[21] % 4
    acted = found
    if planted(each.number) == "redaction":
        found, acted = 3, 1
    values = (
        facts.key, each.opened_us, bits[32:64].hex(), bits[64:96].hex(), acted, found, 3 + day // 7, 200 + bits[22] * 8, facts.key,
        facts.label, facts.model, facts.provider, facts.version, 1 + bits[23] % 3, facts.route, bits[24] & 1,
        base64.b64encode(bits[96:123]).decode(), _mono_ns(each.opened_us), POLICY, GATEWAY, each.xid, seq,
        facts.tenant,
    )  # fmt: skip
    return (_OPENED % values).encode()


def closed_bytes(each: Exchange, day: int, seq: int) -> bytes:
    """The exchange.closed event; `day` is that of the opening."""
    bits, facts = each.bits, _Facts(each, day)
    ms = (each.closed_us - each.opened_us) // 1000
    values = (
        facts.key, each.closed_us, bits[123:135].hex(), facts.model, ms - 5, facts.provider, facts.version, facts.key,
        facts.model, ms, 3 + bits[25] % 5, facts.provider, facts.route, 20 + bits[26] * 4, 10 + bits[27] * 3,
        base64.b64encode(bits[135:219]).decode(), _mono_ns(each.closed_us), POLICY, GATEWAY, each.xid, seq, facts.tenant,
    )  # fmt: skip
    return (_CLOSED % values).encode()


POLICY = policy_digest("default")
Told = tuple[int, str, Draft]
"""Time, producer, event."""


def setup(plan: Plan) -> list[Told]:
    """What stands before the first day: the ledger's beginning, people, providers, models, routes, keys, the controls adopted."""
    at = START_US - 2 * HOUR_US
    told: list[Told] = []

    def tell(producer: str, type_: str, body: dict[str, Any], ref: str = "") -> None:
        actor = "person:ana" if producer == RECORDS else "system:affiant"
        told.append((at + len(told) * 1000, producer, Draft(type_, body, ref=ref, actor=actor)))

    tell(CONTROL, "ledger.created", {"origin": plan.origin, "log_vkey": plan.vkey, "node": "n1", "software": plan.software})
    for role, producer in (("control", CONTROL), ("gateway", GATEWAY), ("gateway", PROBER)):
        tell(producer, "producer.started", {"role": role, "node": "n1", "software": plan.software})
    for control, body in plan.adopted:
        tell(RECORDS, "control.adopted", dict(body), control)
    for person, roles in (("ana", ["engineer"]), ("ben", ["compliance"]), ("cat", ["operator"])):
        tell(RECORDS, "person.set", {"roles": roles, "change": "ch_setup"}, person)
    for provider in PROVIDERS:
        body = {
            "kind": "openai", "base_url": f"http://{provider}.invalid/v1", "region": "eu", "network": "private",
            "labels": ["public", "internal", "confidential"], "change": "ch_setup",
        }  # fmt: skip
        tell(RECORDS, "provider.set", body, provider)
    for number in range(len(MODELS)):
        tell(RECORDS, "model.approved", _approval(number, 1, "ch_setup"), MODELS[number])
    body = {
        "digest": POLICY, "guards": [{"guard": "pii", "action": "redact", "how": "mask"}], "redacts": ["EMAIL", "PHONE"],
        "on_evidence_loss": "refuse", "change": "ch_setup",
    }  # fmt: skip
    tell(RECORDS, "policy.set", body, "default")
    for route in range(ROUTES):
        body = {
            "models": list(MODELS), "policy": "default", "policy_digest": POLICY, "mode": "enforce",
            "label": "confidential" if route % 2 else "internal", "redacts": ["EMAIL", "PHONE"], "change": "ch_setup",
        }  # fmt: skip
        tell(RECORDS, "route.set", body, f"route-{route}")
    for key in [f"k{n:02d}" for n in range(KEYS)] + [f"spare-{n}" for n in range(1, plan.days // 30 + 1)]:
        tell(RECORDS, "key.created", {"owner": "cat", "scope": ["*"]}, key)
    body = {"text": "Served in 99.9 % of minutes", "controls": ["AV-1.1"], "per_million": 999_000, "change": "ch_setup"}
    tell(RECORDS, "commitment.set", body, "availability")
    return told


def _approval(model: int, version: int, change: str) -> dict[str, Any]:
    return {
        "provider": PROVIDERS[model % len(PROVIDERS)], "upstream": f"{MODELS[model]}-large", "version": f"1.{version}",
        "approved_by": "ben", "author": "ana", "change": change,
    }  # fmt: skip


def extras_of(plan: Plan, day: int) -> list[Told]:
    """What a day has beside exchanges: hours served, probes, providers' counts of the day before, a change each week or month."""
    start, told = plan.start_of(day), setup(plan) if day == 0 else []
    for hour in range(24) if day else ():
        begun = start + (hour - 1) * HOUR_US
        told.append((begun + HOUR_US + MINUTE_US, CONTROL, _hour(begun)))
    for hour in range(24) if day == 0 else ():
        if hour:
            told.append((start + hour * HOUR_US + MINUTE_US, CONTROL, _hour(start + (hour - 1) * HOUR_US)))
    for number, (name, minute) in enumerate(PROBES):
        told += _probe(plan, day, number, name, start + minute * MINUTE_US)
    if day:
        told += [(start + 2 * HOUR_US + n * 1000, RECORDS, draft) for n, draft in enumerate(_usage(plan, day - 1))]
    if day % 30 == 0 and day:
        told += _monthly(day // 30, start)
    elif day % 7 == 3:
        told += _change(
            f"ch_{day:05d}",
            "limit",
            "all",
            start + 10 * HOUR_US,
            Draft(
                "limit.set",
                {"scope": "all", "unit": "tokens", "window_s": 60, "value": 900_000 + day, "change": f"ch_{day:05d}"},
                ref="all",
            ),
        )
    if day == plan.days - 1:
        end = start + DAY_US
        told.append((end + LONGEST_US + MINUTE_US, CONTROL, _hour(end - HOUR_US)))
        told += [(end + 2 * MINUTE_US + n, RECORDS, draft) for n, draft in enumerate(_usage(plan, day))]
        told.append((end + 20 * MINUTE_US, CONTROL, Draft("job.run", {"due": end, "ok": 1}, ref="close", actor="system:affiant")))
    return told


def _hour(begun_us: int) -> Draft:
    return Draft("service.hour", {"node": "n1", "hour": begun_us, "expected": 60, "served": 60}, ref="n1", actor="system:affiant")


def _change(change: str, kind: str, target: str, at: int, effect: Draft) -> list[Told]:
    digest = hashlib.sha256(f"{change}/{target}".encode()).hexdigest()
    base = {"kind": kind, "target": target, "digest": digest, "author": "ana", "emergency": 0, "bootstrap": 0}
    return [
        (at, RECORDS, Draft("change.proposed", base, ref=change, actor="person:ana")),
        (
            at + MINUTE_US,
            RECORDS,
            Draft("change.approved", {"by": "ben", "author": "ana", "digest": digest}, ref=change, actor="person:ben"),
        ),
        (at + 2 * MINUTE_US, RECORDS, Draft("change.activated", {**base, "by": "ana"}, ref=change, actor="person:ana")),
        (at + 2 * MINUTE_US + 1, RECORDS, effect),
    ]


def _monthly(month: int, start: int) -> list[Told]:
    """A model's new version, in force from midnight, and a key that is revoked at noon."""
    model, change, key = month % len(MODELS), f"ch_m{month:04d}", f"spare-{month}"
    version = 1 + sum(1 for n in range(1, month + 1) if n % len(MODELS) == model)
    told = _change(
        change, "model", MODELS[model], start - 3 * MINUTE_US, Draft("model.approved", _approval(model, version, change), ref=MODELS[model])
    )
    told = [(max(at, start), producer, draft) for at, producer, draft in told]
    noon = start + 12 * HOUR_US
    done = {"requested": noon, "effective": noon + 400_000, "elapsed_ms": 400, "epoch": 9 + month, "workers": 1}
    told.append((noon, RECORDS, Draft("key.revoke_requested", {"why": "unused", "epoch": 9 + month}, ref=key, actor="person:cat")))
    told.append((noon + 400_000, CONTROL, Draft("key.revoked", done, ref=key, actor="system:affiant")))
    return told


def _usage(plan: Plan, day: int) -> list[Draft]:
    counts = dict.fromkeys(PROVIDERS, 0)
    key = f"affiant synth 1/{plan.seed}/".encode()
    for number in range(plan.first_of(day), plan.first_of(day + 1)):
        bits = hashlib.shake_128(key + b"%d" % number).digest(19)
        counts[PROVIDERS[bits[18] % len(MODELS) % len(PROVIDERS)]] += 1
    yyyymmdd = _yyyymmdd(plan.start_of(day))
    source = hashlib.sha256(f"synthetic usage {day}".encode()).hexdigest()
    return [
        Draft("provider.usage", {"account": "main", "day": yyyymmdd, "requests": counts[name], "held": 1, "source": source}, ref=name)
        for name in PROVIDERS
    ]


def _yyyymmdd(at_us: int) -> int:
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return moment.year * 10_000 + moment.month * 100 + moment.day


def _probe(plan: Plan, day: int, number: int, name: str, due: int) -> list[Told]:
    """A probe that is answered as pledged: pledge, refused exchange, opening."""
    bits = hashlib.shake_128(f"affiant synth probe 1/{plan.seed}/{day}/{number}".encode()).digest(106)
    ref, nonce, salt = f"pl_{day:05d}{number}", bits[:16].hex(), bits[16:48].hex()
    request = bits[48:80].hex()
    xid = _xid(due + 500_000, bits[96:106])
    commit = hmac.new(bytes.fromhex(salt), bytes.fromhex(request), hashlib.sha256).hexdigest()
    pledged = {"pledge": pledge_digest(nonce, request, "k00", due, "refused")}
    refused = {
        "surface": "chat.completions", "route": "route-0", "key": "k00", "code": name.replace("-", "_"), "control": "SEC-1.1",
        "status": 403, "commit_received": commit, "epoch": 3,
    }  # fmt: skip
    opened = {
        "probe": name, "nonce": nonce, "request": request, "key": "k00", "due": due, "expected": "refused", "seen": "refused",
        "exchange": xid, "salt": salt, "matched": 1,
    }  # fmt: skip
    return [
        (due + 1000, CONTROL, Draft("probe.pledged", pledged, ref=ref, actor="system:affiant")),
        (due + 500_000, PROBER, Draft("exchange.refused", refused, ref=xid, actor="key:k00")),
        (due + 900_000, CONTROL, Draft("probe.opened", opened, ref=ref, actor="system:affiant")),
    ]


def extras_before(plan: Plan, day: int) -> dict[str, int]:
    """How many events beside exchanges each producer wrote before a day."""
    counts = dict.fromkeys((GATEWAY, PROBER, CONTROL, RECORDS), 0)
    if day == 0:
        return counts
    for _, producer, _ in setup(plan):
        counts[producer] += 1
    for before in range(day):
        counts[CONTROL] += (24 if before else 23) + 2 * len(PROBES)
        counts[PROBER] += len(PROBES)
        counts[RECORDS] += len(PROVIDERS) if before else 0
        if before % 30 == 0 and before:
            counts[RECORDS] += 5
            counts[CONTROL] += 1
        elif before % 7 == 3:
            counts[RECORDS] += 4
    return counts


def start_index(plan: Plan, day: int) -> int:
    """Index of a day's first entry."""
    return 2 * plan.first_of(day) - len(late_of(plan, day - 1)) + sum(extras_before(plan, day).values())


def entries_of(plan: Plan, day: int) -> list[tuple[int, bytes, str]]:
    """(time, bytes, producer) of a day's entries, in the ledger's order."""
    late = late_of(plan, day - 1)
    midnight = plan.start_of(day + 1)
    moments: list[tuple[int, int, Any]] = [(each.closed_us, 1, (each, day - 1)) for each in late]
    final = day == plan.days - 1
    for each in exchanges_of(plan, day):
        moments.append((each.opened_us, 0, (each, day)))
        if each.closed_us < midnight or final:
            moments.append((each.closed_us, 1, (each, day)))
    extras = extras_of(plan, day)
    moments += [(at, 2, place) for place, (at, _, _) in enumerate(extras)]
    moments.sort(key=lambda moment: moment[:2])
    seqs = extras_before(plan, day)
    seqs[GATEWAY] += 2 * plan.first_of(day) - len(late)
    return _numbered(moments, extras, seqs)


def _numbered(moments: Sequence[tuple[int, int, Any]], extras: Sequence[Told], seqs: dict[str, int]) -> list[tuple[int, bytes, str]]:
    entries: list[tuple[int, bytes, str]] = []
    gateway = seqs[GATEWAY]
    for at, kind, what in moments:
        if kind == 0:
            each, day = what
            entries.append((at, opened_bytes(each, day, gateway), GATEWAY))
            gateway += 1
        elif kind == 1:
            each, day = what
            entries.append((at, closed_bytes(each, day, gateway), GATEWAY))
            gateway += 1
        else:
            _, producer, draft = extras[what]
            seq = gateway if producer == GATEWAY else seqs[producer]
            entries.append((at, encode(draft, producer, seq, at, _mono_ns(at)), producer))
            if producer == GATEWAY:
                gateway += 1
            else:
                seqs[producer] += 1
    return entries


def last_seqs(plan: Plan) -> dict[str, int]:
    """Each producer's last number."""
    counts = extras_before(plan, plan.days)
    counts[GATEWAY] += 2 * plan.exchanges
    counts[CONTROL] += 2
    counts[RECORDS] += len(PROVIDERS)
    return {producer: count - 1 for producer, count in counts.items() if count}
