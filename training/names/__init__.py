"""Trains the tagger of persons, places and organizations (`affiant.guards.names`); `python -m training.names --help`.

One BLAS thread: sums then come out alike on every run.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
