"""What is derived from entries goes when they do: it is made again from those that stay. Leaves out: when they go (`pruning`)."""

from __future__ import annotations

import shutil

from affiant.kit.home import Home


def forget_below(home: Home, begin: int) -> None:
    """Remove what was derived from entries below `begin`, and every database that mixes them with others."""
    for folder in (home.derived / "parquet" / "_manifest", home.derived / "refs"):
        for path in sorted(folder.iterdir()) if folder.exists() else ():
            if path.name.partition("-")[0].isdigit() and int(path.name.partition("-")[0]) < begin:
                path.unlink(missing_ok=True)
    for path in home.derived.glob("parquet/*/day=*/*"):
        if path.name.partition("-")[0].isdigit() and int(path.name.partition("-")[0]) < begin:
            path.unlink(missing_ok=True)
    (home.derived / "parquet" / "straddlers.json").unlink(missing_ok=True)
    shutil.rmtree(home.derived / "parquet" / "_straddle", ignore_errors=True)
    for name in ("index.db", "console.db"):
        for suffix in ("", "-wal", "-shm", "-journal"):
            (home.derived / f"{name}{suffix}").unlink(missing_ok=True)
    for name in ("parquet.check", "refs.check"):
        shutil.rmtree(home.derived / name, ignore_errors=True)
