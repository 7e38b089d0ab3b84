"""Collects every fault of an input with its path, so that a person fixes them in one go."""

from __future__ import annotations

from dataclasses import dataclass

from affiant.kit.errors import BadInput


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: where (such as `models[2].provider`) and what, with what to do."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class FaultyInput(BadInput):
    """An input with one or more faults; nothing was changed. `faults` holds all of them."""

    code = "bad_input"

    def __init__(self, what: str, faults: tuple[Fault, ...]) -> None:
        lines = "\n".join(f"  {fault}" for fault in faults)
        count = f"{len(faults)} fault" + ("" if len(faults) == 1 else "s")
        super().__init__(f"{what} has {count}; nothing was changed.\n{lines}", "Fix them and try again.")
        self.faults = faults


class Faults:
    """A growing list of faults.

    Args:
        what: name of the input for the message, such as `apply.yaml`.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.items: list[Fault] = []

    def add(self, path: str, text: str) -> None:
        """Note one fault."""
        self.items.append(Fault(path, text))

    def stop(self) -> None:
        """Raise if there is any.

        Raises:
            FaultyInput: with all of them.
        """
        if self.items:
            raise FaultyInput(self.what, tuple(self.items))
