"""What a ledger on servers publishes, under the names of tlog-tiles: read from storage and PostgreSQL, byte for byte what files would hold.

Any width that the head in force covers can be had, not only those of the newest heads. Leaves out: HTTP (`cli.tileserver`).
"""

from __future__ import annotations

import re

from affiant.ledger.floor import PrunedError
from affiant.ledger.logkeys import PUBLISHED
from affiant.ledger.retention import MINIMUM, published
from affiant.ledger.serverhome.reader import ServerReader
from affiant.proof.logkeys import statements_bytes
from affiant.proof.tiles import TILE_WIDTH, bundle_path, pack_bundle, tile_path

_TILE = re.compile(r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?")


def resource(reader: ServerReader, path: str) -> bytes | None:
    """Bytes of a resource such as `checkpoint` or `tile/0/x001/234`; None where there is none, or it is not published any more.

    Raises:
        CouldNotLook: PostgreSQL or the storage cannot be reached.
        LedgerFault: what it is made of is missing or damaged.
    """
    row = reader.row()
    if path == "checkpoint":
        return row.head.note
    if path == MINIMUM:
        return b"%d\n" % row.minimum if row.minimum else None
    if path == PUBLISHED:
        notes, _ = reader.keys_in_database()
        return statements_bytes(tuple(notes)) if notes else None
    match = _TILE.fullmatch(path)
    if match is None or not published(path, row.minimum):
        return None
    level = 0 if match[1] == "entries" else int(match[1])
    number, width = int(match[2].replace("x", "").replace("/", "")), int(match[3] or TILE_WIDTH)
    first = number * TILE_WIDTH
    if not 1 <= width <= TILE_WIDTH or first + width > row.head.size >> 8 * level:
        return None
    if path != (bundle_path(number, width) if match[1] == "entries" else tile_path(level, number, width)):
        return None
    try:
        return pack_bundle(list(reader.entries(first, first + width))) if match[1] == "entries" else reader.tile(level, number, width)
    except PrunedError:
        return None
