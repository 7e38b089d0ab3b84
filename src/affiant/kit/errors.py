"""The one error tree. Every error says what happened and what to do next.

A refusal of an exchange is a value (`guards.Decision`), never one of these. These are surprises and
bad input; `exit_code` is the process exit status that the command line maps them to
(0 good, 1 finding or lie, 2 bad input or usage, 3 could not look or not anchored).
"""

from __future__ import annotations


class AffiantError(Exception):
    """Base of every error that Affiant raises on purpose.

    Args:
        message: what happened, one sentence.
        next_step: what the reader should do about it, one sentence.
    """

    exit_code = 2
    code = "error"

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class BadInput(AffiantError):
    """Something given by a caller is not acceptable; nothing was changed."""

    code = "bad_input"


class NotFound(BadInput):
    """A named thing does not exist."""

    code = "not_found"


class Forbidden(BadInput):
    """The caller is known but may not do this."""

    code = "forbidden"


class Conflict(BadInput):
    """The thing is not in a state in which this can be done."""

    code = "conflict"


class Finding(AffiantError):
    """A check found a deviation, fault or lie."""

    exit_code = 1
    code = "finding"


class LedgerFault(Finding):
    """The ledger on disk is missing, truncated, forked or altered; start refuses to guess."""

    code = "ledger_fault"


class CouldNotLook(AffiantError):
    """Something needed for an answer was out of reach; the answer is unknown, not empty."""

    exit_code = 3
    code = "could_not_look"


class LedgerUnavailable(CouldNotLook):
    """The ledger writer cannot be reached or refused to write; nothing was acknowledged."""

    code = "evidence_unavailable"


class NoRoom(LedgerUnavailable):
    """The disk has no room beyond the reserve for refusals and closings."""

    code = "evidence_no_room"
