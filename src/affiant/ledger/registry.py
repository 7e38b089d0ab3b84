"""Every event type that Affiant writes: version, owner, retention class, fields. Unknown types are kept and shown.

Any event whose actor is a person may carry `via`: `local` where the home's local credential acted under that person's name.
`carried` types describe a live record that a view reads: the last one per `ref`, unless one of `ended_by` with the
same `ref` came later, is repeated as `state.carried` when a period opens (docs/decisions/0005-carried-state.md).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventType:
    """One declared type.

    Args:
        name: `noun.what_happened`.
        owner: the room that writes it.
        meaning: one sentence.
        fields: body field -> meaning; a trailing `?` marks one that may be omitted.
        retention: class of how long entries are kept (`retention`: audit 18 months; lasting: a copy with its proof stays for ever).
        version: of the body's layout; fields are added, never renamed or re-used.
        carried: whether the last one per `ref` is carried into a new period.
        ended_by: types that end a carried record.
        sealed: body fields that hold a commitment; the value lies sealed beside the ledger (`sealed`).
    """

    name: str
    owner: str
    meaning: str
    fields: dict[str, str]
    retention: str = "audit"
    version: int = 1
    carried: bool = False
    ended_by: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()


_DECISIONS = (
    "list of {guard, control, action, how?, reason?, found?, acted?, types?: [{type, n}], stage?, version?, "
    "at?: [{rule, part, start, end}], enforced: 0/1}"
)

_SCORES = "{guard: parts per million} of guards that score"
_TYPES = (
    # -- ledger itself
    EventType("ledger.created", "ledger", "The ledger began.", {
        "origin": "C2SP origin of the log", "log_vkey": "verifier key of the log", "node": "first node",
        "software": "version of Affiant"}),
    EventType("producer.started", "ledger", "An incarnation of a process began to write events.", {
        "role": "gateway, control, writer, supervisor, records", "node": "node", "software": "version of Affiant"}),
    EventType("producer.ended", "ledger", "An incarnation ended; exchanges it left open were interrupted.", {
        "producer": "which", "last_seq": "its last sequence number, -1 if none", "interrupted": "count",
        "why": "disconnected, restarted or stopped"}),
    EventType("ledger.gap", "ledger", "Events were lost under a fail-open policy.", {
        "from": "µs", "to": "µs", "count": "events"}),
    EventType("anchor.cosigned", "ledger", "A witness cosigned a checkpoint. ref = size as text.", {
        "size": "tree size", "root": "hex", "witness": "name", "time": "witness's time, s", "checkpoint_at": "µs"}),
    EventType("anchor.missed", "ledger", "A due cosignature could not be had.", {
        "size": "tree size", "witness": "name", "why": "text"}),
    EventType("log_key.rotated", "ledger", "The log's key handed over to another. ref = id of the new key.", {
        "old": "verifier key", "new": "verifier key", "after": "heads over more entries are signed by the new key",
        "overlap_until": "µs until which the old key signs beside it, 0 if not at all",
        "statement": "C2SP signed note that says so, signed by both keys", "why": "text",
        "held?": "vault:MOUNT/NAME@VERSION where Vault holds the new key"}, retention="lasting"),
    EventType("log_key.revoked", "ledger", "A replaced key of the log is not to be believed any more. ref = its id.", {
        "key": "verifier key", "by_key": "verifier key in force", "after": "heads over more entries do not count if only it signed them",
        "statement": "C2SP signed note that says so, signed by the key in force", "why": "text"}, retention="lasting"),
    EventType("period.opened", "ledger", "A period opens; `carried` state.carried entries follow at once.", {
        "name": "period", "from": "µs", "carried": "count of entries that follow",
        "root": "hex, RFC 9162 root over the canonical JSON of each carried body, in order"}),
    EventType("state.carried", "ledger", "Opening balance: one live record as its last event left it. ref, tenant as there.", {
        "of": "event type", "of_version": "its version", "origin": "index of that event", "origin_at": "µs",
        "body": "its body"}),
    # -- exchanges
    EventType("exchange.opened", "gateway", "An accepted exchange, durable before the first byte leaves for a provider.", {
        "surface": "chat.completions, responses, messages, embeddings",
        "route": "route id", "key": "key id", "label": "classification in force",
        "detected?": "label of what the request holds, by the policy", "mode": "watch, warn or enforce",
        "risk?": "of the route: low or high; omitted where limited", "stream": "0/1", "overlap": "0/1",
        "betas?": "list of features that a header turns on at the provider",
        "links": "list of {provider, model, version, cap}: permitted, of the surface's format, in order, cap = most attempts",
        "decisions": _DECISIONS, "scores?": _SCORES, "guards?": "digest of the versions of guards: ref of guards.loaded",
        "parts": "content parts seen", "uninspected": "parts not inspected",
        "commit_received": "hex salted commitment to the request as received",
        "commit_sent": "hex, to the request as sent", "epoch": "snapshot epoch",
        "est_tokens": "reserved input + max_tokens"}),
    EventType("exchange.closed", "gateway", "The outcome of an opened exchange, durable before the last byte leaves.", {
        "outcome": "answered, provider_failed, blocked, caller_left, cut, timed_out",
        "released": "all, part or none", "status": "HTTP status given to the caller",
        "route": "route id", "key": "key id", "provider?": "that served", "model?": "that served",
        "attempts": "list of {id, provider, model, version, status, ms}: id is the opaque request id sent",
        "tokens_in": "count", "tokens_out": "count", "ms": "total", "ms_first?": "to first byte", "ms_added": "by Affiant",
        "uninspected?": "parts of the answer not inspected", "detected?": "label of what the answer holds, by the policy",
        "decisions": _DECISIONS, "scores?": _SCORES, "commit_released?": "hex, to the answer as released"}),
    EventType("exchange.refused", "gateway", "Refused before forwarding.", {
        "surface": "as in opened; models, other", "route?": "route id named", "key?": "key id", "code": "stable code",
        "control": "control id",
        "status": "HTTP status", "guards?": "as in exchange.opened", "detected?": "as in exchange.opened",
        "decisions?": _DECISIONS, "scores?": _SCORES, "commit_received?": "hex", "epoch": "snapshot epoch"}),
    EventType("guard.alert", "operations", "What guards decided over a window exceeded what a policy allows. ref = route id.", {
        "policy": "policy id", "rule": "id of the alert in the policy", "of": "block, flag, redact (share of exchanges) or score (mean)",
        "guard?": "which guard; any where omitted", "type?": "of what was found; any where omitted", "value": "parts per million",
        "over": "threshold, parts per million", "exchanges": "in the window; of a score, how many were given", "from": "µs", "to": "µs"}),
    EventType("guards.loaded", "gateway", "A worker began to guard with these versions. ref = their digest, which exchanges name.", {
        "versions": "list of {guard, version} of models", "software": "version of Affiant"}),
    EventType("exchange.refused_many", "gateway", "Unauthenticated refusals above the stated rate, counted.", {
        "from": "µs", "to": "µs", "count": "refusals", "source": "hex, keyed hash of the address", "code": "stable code"}),
    EventType("exchange.interrupted", "ledger", "Its producer ended while it was open; attempts lie within the opened caps.", {
        "producer": "that ended", "opened": "index of its exchange.opened"}),
    EventType("exchange.unrecorded", "supervisor", "Refusals while the ledger writer was away.", {
        "from": "µs", "to": "µs", "count": "refusals"}),
    EventType("gateway.stale", "gateway", "A worker out of contact refused new exchanges and cut open streams.", {
        "from": "µs", "to": "µs", "refused": "count", "cut": "count"}),
    # -- people, keys, change
    EventType("person.set", "records", "A person and their roles. ref = person id.", {
        "roles": "list of role", "change": "change id"}, carried=True, ended_by=("person.left",)),
    EventType("person.left", "records", "A person lost sessions, keys and roles. ref = person id.", {"change": "change id"}),
    EventType("person.password_set", "records", "A person got a local password. ref = person id.", {"by": "person id or local"}),
    EventType("person.contact_set", "records", "A person's contact address was set. ref = person id.", {
        "contact": "hex salted commitment to the e-mail address", "subject": "whose key seals it", "by": "person id or local"},
        sealed=("contact",)),
    EventType("sealed.opened", "records", "Somebody looked at a sealed value. ref = as in the event that holds its commitment.", {
        "of": "event type", "field": "sealed field", "subject": "whose", "by": "person id or local"}),
    EventType("subject_key.destroyed", "records", "A subject's key is gone; its sealed values cannot be had again. ref = subject.", {
        "by": "person id", "why": "text", "values": "sealed values that it closed",
        "reapplied": "0/1: again, in an older copy that was restored"}, retention="lasting"),
    EventType("appeal.raised", "records", "Somebody says that a guard was wrong about an exchange. ref = appeal id.", {
        "exchange": "exchange id", "by": "person id"}),
    EventType("appeal.decided", "records", "What another person found. ref = appeal id.", {
        "exchange": "exchange id", "outcome": "upheld: the guard was wrong; rejected: it was right", "raised_by": "person id",
        "by": "person id"}),
    EventType("hold.placed", "records", "A legal hold: nothing in its scope is pruned or destroyed. ref = hold id.", {
        "scope": "all, or a subject", "why": "text", "by": "person id"}, carried=True, ended_by=("hold.released",)),
    EventType("hold.released", "records", "A legal hold ended. ref = hold id.", {
        "scope": "all, or a subject", "why": "text", "by": "person id"}),
    EventType("ledger.pruned", "records", "A prefix of the ledger is no longer published. ref = minimum index as text.", {
        "minimum": "lowest index that is published", "before": "µs: entries from then on stay", "root": "hex root over the entries below",
        "by": "person id"}, retention="lasting"),
    EventType("ledger.removed", "ledger", "Entries of a pruned prefix were taken off the disk. ref = minimum index as text.", {
        "below": "lowest index that is held", "from": "lowest index that was held before", "root": "hex root over the entries below",
        "state": "hex sha256 of pruned.json's begin, root and producers", "lasting": "entries below of which copies are kept",
        "archived?": "folder that copies were put into; without it they are gone for good",
        "packs": "list of {name, sha256, entries}: the files there", "by": "person id or local"}, retention="lasting"),
    EventType("tenant_key.destroyed", "records", "A tenant's month key is gone; commitments under it stay closed. ref = tenant/month.", {
        "month": "yyyymm", "by": "person id or local"}),
    EventType("session.opened", "records", "A console sign-in. ref = session id.", {"person": "id", "how": "password or link"}),
    EventType("session.refused", "records", "A failed sign-in.", {"person?": "id", "why": "text"}),
    EventType("session.closed", "records", "A console sign-out or expiry. ref = session id.", {"person": "id"}),
    EventType("access.denied", "records", "A console or API action refused. ref = action.", {"action": "name", "person?": "id",
        "why": "text"}),
    EventType("key.created", "records", "A gateway key. ref = key id.", {
        "owner": "person id", "scope": "list of route or model ids", "expires?": "µs", "change?": "change id"},
        carried=True, ended_by=("key.revoked",)),
    EventType("key.revoke_requested", "records", "Somebody asked that a key stop working. ref = key id.", {
        "why": "text", "epoch": "snapshot epoch that carries it"}),
    EventType("key.revoked", "control", "Every worker in contact confirmed the epoch without the key. ref = key id.", {
        "requested": "index-free: µs of the request", "effective": "µs", "elapsed_ms": "real ms from request to last confirmation",
        "epoch": "confirmed", "workers": "count that confirmed"}),
    EventType("change.proposed", "records", "A change to a governed record. ref = change id.", {
        "kind": "person, provider, model, route, policy, limit, commitment, protected, control", "target": "record id",
        "digest": "hex sha256 of the canonical new content", "author": "person id", "emergency": "0/1", "bootstrap": "0/1",
        "reason?": "text"}),
    EventType("change.approved", "records", "An approval. ref = change id.", {
        "by": "person id", "author": "person id", "digest": "approved content"}),
    EventType("change.rejected", "records", "A rejection or withdrawal. ref = change id.", {"by": "person id", "why": "text"}),
    EventType("change.activated", "records", "The change is in force. ref = change id.", {
        "kind": "as proposed", "target": "record id", "digest": "content in force", "before?": "digest it replaces",
        "author": "person id", "by": "person id who activated", "emergency": "0/1", "bootstrap": "0/1"}),
    # -- governed records (ref = record id)
    EventType("provider.set", "records", "A registered provider.", {
        "kind": "openai or anthropic: the format that it speaks",
        "base_url": "URL", "region": "text", "network": "public or private", "labels": "list it may receive",
        "betas?": "list of features that callers may turn on there by a header",
        "change": "change id"}, carried=True, ended_by=("provider.removed",)),
    EventType("provider.removed", "records", "A provider is gone.", {"change": "change id"}),
    EventType("provider.usage", "records", "A provider's own count for a key and day. ref = provider id.", {
        "account": "label of the provider key", "day": "yyyymmdd", "requests": "count", "tokens?": "count",
        "held": "0/1: the gateway holds that key", "source": "hex sha256 of the imported file"}),
    EventType("model.approved", "records", "A model version may serve. ref = model id.", {
        "provider": "id", "upstream": "name at the provider", "version": "text", "approved_by": "person id", "author": "person id",
        "change": "change id"},
        carried=True, ended_by=("model.withdrawn",)),
    EventType("model.registered", "records", "A model version is known but not approved. ref = model id.", {
        "provider": "id", "upstream": "name at the provider", "version": "text", "change": "change id"},
        carried=True, ended_by=("model.withdrawn",)),
    EventType("model.withdrawn", "records", "A model version may no longer serve. ref = model id.", {"change?": "change id",
        "why": "text"}),
    EventType("route.set", "records", "A route. ref = route id.", {
        "models": "list of model id, in order", "policy": "policy id", "policy_digest": "hex", "mode": "watch, warn, enforce",
        "label": "classification", "tenant?": "only this tenant", "strict?": "1: no fields that a format does not have",
        "redacts": "list of PII types that its policy acts on",
        "risk?": "low or high; omitted where limited", "change": "change id"},
        carried=True, ended_by=("route.removed",)),
    EventType("route.removed", "records", "A route is gone.", {"change": "change id"}),
    EventType("policy.set", "records", "A policy. ref = policy id.", {
        "digest": "hex", "guards": "list of {guard, action, how?}", "redacts": "list of PII types", "on_evidence_loss": "refuse or open",
        "on_busy?": "pass_flagged; omitted where it refuses", "labels?": "list of {type, label}", "on_label?": "flag or block",
        "labels_in?": "both: labels are detected in answers too; omitted where in requests only",
        "keep_pseudonyms_s?": "seconds for which conversations keep pseudonyms, sealed",
        "at?": "list of {guard, place, action}: where a part's place changes what is done",
        "overrides?": "list of {risk?, tenant?, guard, action}: by risk of the route or by tenant",
        "change": "change id"}, carried=True),
    EventType("limit.set", "records", "A limit. ref = limit id.", {
        "scope": "key:ID, tenant:ID, route:ID or all", "unit": "requests or tokens", "window_s": "seconds", "value": "count",
        "change": "change id"},
        carried=True, ended_by=("limit.removed",)),
    EventType("limit.removed", "records", "A limit is gone.", {"change": "change id"}),
    EventType("commitment.set", "records", "A promise to customers. ref = commitment id.", {
        "text": "the promise", "controls": "list of control id", "per_million?": "threshold, parts per million", "change": "change id"},
        carried=True),
    EventType("protected.set", "records", "A text that must not turn up in answers, known by fingerprints. ref = its id.", {
        "what": "document, canary or marker", "label": "routes of this label and above may see it", "tenant": "whose it is, or empty",
        "words": "words of a fingerprint", "prints": "fingerprints", "change": "change id"},
        carried=True, ended_by=("protected.removed",)),
    EventType("protected.removed", "records", "It is looked for no more.", {"change": "change id"}),
    EventType("control.adopted", "records", "A control version is in force from here. ref = control id.", {
        "control_version": "integer", "sha": "hex sha256 of the control's canonical bytes",
        "schedule": "list of {item, every: hour|day|month, minute}: expected occurrences", "change?": "change id"},
        carried=True),
    # -- operations
    EventType("service.hour", "operations", "Minutes served in an hour on a node. ref = node.", {
        "node": "node", "hour": "µs of its start", "expected": "minutes", "served": "minutes"}),
    EventType("probe.pledged", "operations", "A probe is promised. ref = pledge id.", {
        "pledge": "hex sha256 of canonical JSON [nonce, request, key, due, expected]"}),
    EventType("probe.opened", "operations", "A pledge opened. ref = pledge id.", {
        "probe": "probe id", "nonce": "hex", "request": "hex sha256 of the request as sent", "key": "key id or empty",
        "due": "µs", "expected": "decision code", "seen": "decision code", "exchange": "exchange id",
        "salt": "hex salt of that exchange's commit_received",
        "matched": "0/1: seen = expected"}),
    EventType("job.run", "operations", "A scheduled job ran. ref = job name.", {"due": "µs", "ok": "0/1", "note?": "text"}),
    # -- assurance
    EventType("population.frozen", "assurance", "A population, fixed. ref = freeze id.", {
        "population": "name", "control": "control id it was frozen for", "query": "hex sha256 of the query text",
        "params": "list of {name, value}", "from": "µs", "to": "µs half-open", "end_size": "entries with a lower index",
        "rows": "count", "root": "hex RFC 9162 root over 48-byte rows", "unmatched": "rows of the reconciliation", "unmatched_root": "hex",
        "principal": "who"}),
    EventType("sample.drawn", "assurance", "A sample of a frozen population. ref = sample id.", {
        "freeze": "freeze id", "seed": "text", "seed_kind": "management-chosen, auditor-chosen or witness", "method": "hmac-lowest-v1",
        "n": "rows drawn", "rows": "list of {idx, ord}"}),
    EventType("procedure.run", "assurance", "A control run. ref = run id.", {
        "control": "control id", "control_version": "integer", "sha": "hex of the control's canonical bytes", "freeze?": "freeze id",
        "sample?": "sample id",
        "from": "µs", "to": "µs", "end_size": "entries with a lower index", "result": "control result", "rows": "items", "met": "count",
        "deviations": "count",
        "could_not_test": "count", "unmatched": "count", "items_root": "hex RFC 9162 root over item lines"}),
    EventType("affidavit.built", "affidavit", "A package was made. ref = affidavit id.", {
        "from": "µs", "to": "µs", "manifest": "hex sha256 of the manifest", "start_size": "entry", "end_size": "entry", "by": "person id"}),
)  # fmt: skip

REGISTRY: dict[str, EventType] = {event.name: event for event in _TYPES}
