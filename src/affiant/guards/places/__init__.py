"""Places: every string of a request, an answer or a stream as a part, and the way back to where it stood.

`read` opens a body, `put` writes changed parts back, `stream` does both for an answer that arrives in events. `TABLE` says of each
surface what is guarded, flagged, withheld, passed uninspected or refused. Leaves out: what is looked for in the parts.
"""

from affiant.guards.places.body import SURFACES, FixedPlace, Opened, parts, put, read, rewrite
from affiant.guards.places.jsonlane import Scanner
from affiant.guards.places.stream import Lane, StreamPlaces, Texts
from affiant.guards.places.streams import stream
from affiant.guards.places.table import TABLE, Row, markdown
from affiant.guards.places.walk import BadShape, Uninspected

__all__ = [
    "SURFACES",
    "TABLE",
    "BadShape",
    "FixedPlace",
    "Lane",
    "Opened",
    "Row",
    "Scanner",
    "StreamPlaces",
    "Texts",
    "Uninspected",
    "markdown",
    "parts",
    "put",
    "read",
    "rewrite",
    "stream",
]
