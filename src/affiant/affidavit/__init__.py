"""Gathers a period into a package that an outsider checks without us, and builds the verifier that does.

`build` needs controls that were run for exactly this period; it recomputes each from entries before it writes a byte. Leaves out:
running controls (`assurance`), checking packages (`proof.verify`).
"""

from affiant.affidavit.build import Built, build
from affiant.affidavit.gather import missing_runs
from affiant.affidavit.verifier import build_verifier

__all__ = ["Built", "build", "build_verifier", "missing_runs"]
