"""What can be wrong with evidence, in three kinds. The verifier's exit status follows the kind.

A lie exits 1, bad input exits 2, something that cannot be checked exits 3.
"""

from __future__ import annotations


class ProofError(Exception):
    """Base: `message` says what was found, `next_step` what the reader can do."""

    exit_code = 2

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return (self.message + " " + self.next_step).strip()


class Lie(ProofError):
    """The bytes contradict what they claim."""

    exit_code = 1


class Malformed(ProofError):
    """The bytes are not of the form that they should have; nothing can be said about their content."""

    exit_code = 2


class NotAnchored(ProofError):
    """Nothing outside vouches for what is otherwise consistent."""

    exit_code = 3


class CouldNotLook(ProofError):
    """This machine failed (no room, no memory); nothing is said about the evidence."""

    exit_code = 3
