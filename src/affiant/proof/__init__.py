"""What an outsider needs to check Affiant's evidence, and nothing else: standard library only, Python 3.9 or later.

Read in this order: `hashes`, `ed25519`, `note`, `tiles`, `canonical`, `producers`, `logkeys` (the ledger); `views`, `grammar`,
`population`, `draw`, `expected`, `pledges`, `passes`, `recompute` (a control); `package`, `trust`, `anchors`, `bundles`, `shapes`,
`beside`, `scan`, `rebuild`, `side` (reading much, quickly); `verify`, `sampled`, `receipt`, `prior`, `check` (the argument). Import the
module that you need.
"""

__all__ = [
    "canonical",
    "check",
    "draw",
    "ed25519",
    "errors",
    "expected",
    "grammar",
    "hashes",
    "note",
    "package",
    "pledges",
    "population",
    "tiles",
    "tlogproof",
    "trust",
    "verify",
    "views",
]
