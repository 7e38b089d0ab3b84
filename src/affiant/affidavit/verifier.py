"""Makes `verify.pyz`: the files of `proof/` and nothing else, bit for bit the same wherever it is made.

Fixed times, sorted names, stored uncompressed, no shebang line (run it with `python verify.pyz`). Leaves out: publishing it and its hash.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from affiant import proof

_TIME = (1980, 1, 1, 0, 0, 0)
_MAIN = b"""import sys

if sys.version_info < (3, 9):
    sys.exit("The verifier needs Python 3.9 or later.")

from proof.__main__ import main

sys.exit(main())
"""


def build_verifier(out: Path) -> str:
    """Write the verifier; gives its SHA-256 (hex).

    Args:
        out: path of the file; it is replaced.
    """
    folder = Path(proof.__file__).parent
    files = {f"proof/{path.name}": path.read_bytes().replace(b"\r\n", b"\n") for path in folder.glob("*.py")}
    files["__main__.py"] = _MAIN
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, files[name])
    return hashlib.sha256(out.read_bytes()).hexdigest()
