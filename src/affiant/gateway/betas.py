"""Features of a provider that a request turns on by a header: sent on only where each is listed for every provider that may serve it.

A feature may bring what guards do not read, or keep what must not stay at a provider, so that a value nobody listed refuses the request; it
is never dropped, since what came back would then not be what was asked. Leaves out: who lists them (the provider's record).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from affiant.gateway.faults import Refusal
from affiant.gateway.formats import Format
from affiant.gateway.tables import Chain

HEADERS = {Format.ANTHROPIC: "anthropic-beta", Format.OPENAI: "openai-beta"}
MAX_VALUES = 32
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,63}")


def asked_betas(headers: Iterable[tuple[bytes, bytes]], chain: Chain, spoken: Format) -> tuple[str, ...]:
    """The values of a request's header, each once, in their order; none where it was not sent.

    Raises:
        Refusal: a value is not listed for each provider of the chain, is no name of a feature, or there are too many.
    """
    name = HEADERS[spoken]
    sent = [value.decode("latin-1") for header, value in headers if header == name.encode()]
    values = tuple(dict.fromkeys(each for value in sent for one in value.split(",") if (each := one.strip(" \t"))))
    if len(values) > MAX_VALUES:
        raise Refusal("beta_not_listed", name, f"At most {MAX_VALUES} values.")
    for value in values:
        if not _VALUE.fullmatch(value):
            raise Refusal("beta_not_listed", name, "A value is no name of a feature.")
        if value not in chain.betas:
            raise Refusal("beta_not_listed", name, f"Not listed: {value}.")
    return values
