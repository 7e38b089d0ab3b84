"""What stops an exchange inside the gateway: refusals (values that travel as exceptions to one place) and link faults."""

from __future__ import annotations

from affiant.gateway.codes import CODES, Code
from affiant.kit.errors import AffiantError


class Refusal(AffiantError):
    """An exchange is refused or failed with a stable code; caught in one place, `walk`.

    Args:
        code: name in `codes.CODES`.
        param: the request field at fault.
        detail: one more sentence; never holds content of the exchange.
        retry_after_s: for Retry-After; 0 none.
    """

    def __init__(self, code: str, param: str | None = None, detail: str = "", retry_after_s: int = 0) -> None:
        self.known: Code = CODES[code]
        super().__init__(self.known.message, self.known.next_step)
        self.code = code
        self.param, self.detail, self.retry_after_s = param, detail, retry_after_s


class LinkFault(AffiantError):
    """One attempt at a provider failed.

    Args:
        kind: connect, address, tls, reset, timeout, garbage, status, cut.
        status: HTTP status that the provider gave; 0 for none.
        message: what happened.
    """

    def __init__(self, kind: str, message: str, status: int = 0) -> None:
        super().__init__(message, "See the attempts of the exchange.")
        self.kind, self.status = kind, status
