"""What an outsider needs to check Affiant's evidence, and nothing else: standard library only, Python 3.9 or later.

Read in this order: `hashes`, `ed25519`, `note`, `tiles`, `canonical` (the ledger); `views`, `grammar`, `population`, `draw`,
`expected`, `pledges` (recomputing a control); `package`, `trust`, `verify` (the argument). Import the module that you need.
"""

__all__ = [
    "canonical",
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
