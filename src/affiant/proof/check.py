"""Checks one package: chooses the argument for its mode. This is what the command line and other programs call.

Leaves out: the arguments (`verify`, `sampled`, `receipt`).
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Dict, Optional, Sequence, Type

from .errors import Malformed, ProofError
from .package import MANIFEST, Manifest, Package
from .receipt import ReceiptVerifier
from .sampled import SampleVerifier
from .trust import TrustPolicy
from .verify import Report, SourceOf, Verifier

_ARGUMENTS: "Dict[str, Type[Verifier]]" = {"full": Verifier, "sample": SampleVerifier, "receipt": ReceiptVerifier}


def verify_file(
    path: str, trust: Optional[str] = None, anchors: Sequence[bytes] = (), source_of: Optional[SourceOf] = None,
    prior: Optional[str] = None, processes: int = 0,
) -> Report:  # fmt: skip
    """Check a package; the report's exit code is 0 good, 1 lie, 2 bad input, 3 self-consistent but not anchored.

    Args:
        path: of the package.
        trust: the trust file's text, or None.
        anchors: cosigned checkpoints that the reader obtained elsewhere (bytes of signed notes).
        source_of: gives another source of the range's entries than the package, such as the published log.
        prior: path of the full package of the period before, with whose entries the opening balances are compared.
        processes: how many to use; 0: as many as are good where there is much to do. The report is the same.
    """
    try:
        if trust is not None:
            TrustPolicy.parse(trust)
        with ExitStack() as stack:
            package = stack.enter_context(Package(path))
            before = stack.enter_context(Package(prior)) if prior is not None else None
            mode = str(Manifest.parse(package.read(MANIFEST)).raw["mode"]) if package.has(MANIFEST) else "full"
            if mode == "sample" and source_of is not None:
                mode = "full"
            if mode != "full" and before is not None:
                raise Malformed(f"Opening balances do not travel in {mode} mode.", "Use --ledger with --prior.")
            return _ARGUMENTS[mode](package, trust, anchors, source_of, before, processes).run()
    except ProofError as error:
        return Report(verdict="NOT CHECKED: " + str(error), exit_code=error.exit_code)
