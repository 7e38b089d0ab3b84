"""One file a page: its frozen `…Page`, and how it is built from what the rooms below know. Here: the table of all routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from affiant.console.context import Context
from affiant.console.pages import (
    change,
    changes,
    control,
    controls,
    entry,
    exchange,
    exchanges,
    guards,
    ledger,
    patterns,
    people,
    population,
    populations,
    sign_in,
    today,
)
from affiant.console.security import Cookies
from affiant.console.visit import Spec

PublicHandler = Callable[[Context, Cookies, Request, Mapping[str, str]], Response]

SPECS: tuple[Spec, ...] = (
    Spec("/", "GET", "control.read", today.show),
    Spec("/exchanges", "GET", "exchange.read", exchanges.show),
    Spec("/exchanges.csv", "GET", "exchange.read", exchanges.csv),
    Spec("/exchanges/{exchange}", "GET", "exchange.read", exchange.show),
    Spec("/exchanges/{exchange}/receipt.json", "GET", "exchange.read", exchange.receipt),
    Spec("/controls", "GET", "control.read", controls.show),
    Spec("/controls.csv", "GET", "control.read", controls.csv),
    Spec("/controls/run", "POST", "control.run", controls.run_all),
    Spec("/controls/{control}", "GET", "control.read", control.show),
    Spec("/controls/{control}/run", "POST", "control.run", control.run_now),
    Spec("/populations", "GET", "population.read", populations.show),
    Spec("/populations.csv", "GET", "population.read", populations.csv),
    Spec("/populations/{freeze}.csv", "GET", "population.read", population.csv),
    Spec("/populations/{freeze}", "GET", "population.read", population.show),
    Spec("/entries/{index}", "GET", "ledger.read", entry.show),
    Spec("/entries/{index}/raw", "GET", "ledger.read", entry.raw),
    Spec("/ledger", "GET", "ledger.read", ledger.show),
    Spec("/ledger.csv", "GET", "ledger.read", ledger.csv),
    Spec("/fragments/head", "GET", "status.read", ledger.head_line),
    Spec("/changes", "GET", "change.read", changes.show),
    Spec("/changes.csv", "GET", "change.read", changes.csv),
    Spec("/changes", "POST", "change.read", changes.propose),
    Spec("/changes/new", "GET", "change.read", changes.new),
    Spec("/changes/{change}", "GET", "change.read", change.show),
    Spec("/changes/{change}/approve", "POST", "change.read", change.act("approve")),
    Spec("/changes/{change}/activate", "POST", "change.read", change.act("activate")),
    Spec("/changes/{change}/reject", "POST", "change.read", change.act("reject")),
    Spec("/guards", "GET", "record.read", guards.show),
    Spec("/guards", "POST", "record.read", guards.test),
    Spec("/exchanges/{exchange}/appeal", "POST", "appeal.raise", guards.appeal),
    Spec("/appeals/{appeal}/decide", "POST", "appeal.decide", guards.decide),
    Spec("/people", "GET", "key.read", people.show),
    Spec("/keys", "POST", "key.create", people.create),
    Spec("/keys/{key}/revoke", "POST", "key.read", people.revoke),
    Spec("/patterns", "GET", "status.read", patterns.show),
    Spec("/theme", "POST", "status.read", sign_in.theme),
    Spec("/sign-out", "POST", "status.read", sign_in.sign_out),
)
"""Routes of signed-in people, with the action that each needs; records check kind-specific rights again."""

PUBLIC: tuple[tuple[str, str, PublicHandler], ...] = (
    ("/sign-in", "GET", sign_in.show),
    ("/sign-in", "POST", sign_in.sign_in),
    ("/link/{token}", "GET", sign_in.show_link),
    ("/link", "POST", sign_in.use_link),
)
"""Routes that need no session: only what leads to one."""
