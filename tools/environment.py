"""Makes `.venv` from a hashed lock file and puts this tree on its path; does nothing when that is done already.

Standard library only; run by the Python that the environment is made from. Leaves out: finding that Python (`tools/environment`).
Locks are nested (run < test < dev), so an environment made from a larger one serves for a smaller one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = ("run", "test", "dev")
SHIM = """#!{python}
import sys

from affiant.app import main

if __name__ == "__main__":  # processes that commands start read this file again
    sys.exit(main())
"""


class TroubleError(Exception):
    """Something that a person must mend; the text says how."""


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) > 1 else "run"
    if wanted not in LOCKS:
        sys.stderr.write(f"usage: tools/environment {'|'.join(LOCKS)}" + "\n")
        return 2
    try:
        if not is_made(wanted):
            make(wanted)
    except TroubleError as trouble:
        sys.stderr.write(f"affiant: {trouble}" + "\n")
        return 2
    return 0


def stamp_of(name: str) -> str:
    """What an environment depends on: the lock's bytes, the command put into it, this tree's place, the Python."""
    digest = hashlib.sha256((ROOT / "locks" / f"{name}.txt").read_bytes() + SHIM.encode()).hexdigest()
    return f"{digest} {ROOT} {sys.version_info[0]}.{sys.version_info[1]}\n"


def is_made(wanted: str) -> bool:
    for name in LOCKS[LOCKS.index(wanted) :]:
        stamp = VENV / f".made-{name}"
        if stamp.exists() and stamp.read_text() == stamp_of(name) and PYTHON.exists():
            return True
    return False


def make(name: str) -> None:
    if VENV.exists() and not _fits():
        shutil.rmtree(VENV)
    show(f"making .venv with Python {sys.version.split()[0]}")
    compiling = _compile()
    if not PYTHON.exists():
        _create(with_pip=name != "run")
    pip = _pip(name)
    install(pip, ROOT / "locks" / f"{name}.txt")
    compiling.wait()
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (VENV / "lib" / version / "site-packages" / "affiant.pth").write_text(f"{ROOT / 'src'}\n")
    shim = VENV / "bin" / "affiant"
    shim.write_text(SHIM.format(python=PYTHON))
    shim.chmod(0o755)
    (VENV / f".made-{name}").write_text(stamp_of(name))
    show(f"packages of locks/{name}.txt are in .venv", last=True)


def _fits() -> bool:
    """Whether the environment that is there runs and is of this Python."""
    test = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-c", test], stderr=subprocess.DEVNULL, check=False).returncode == 0


def _compile() -> subprocess.Popen[bytes]:
    """Compile this tree while packages come over the network; what that leaves undone is done at the first import."""
    command = [sys.executable, "-I", "-m", "compileall", "-q", str(ROOT / "src")]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _create(with_pip: bool) -> None:
    """Make the empty environment. pip is put into it only where somebody may want it there: that takes as long as all the rest."""
    with_pip = (with_pip or not _pip_outside()) and _has(sys.executable, "ensurepip")
    arguments = [] if with_pip else ["--without-pip"]
    made = subprocess.run([sys.executable, "-m", "venv", *arguments, str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise TroubleError(f"python -m venv failed: {(made.stderr or made.stdout).strip().splitlines()[-1]}\n{_one_command()}")


def _pip(name: str) -> list[str]:
    """The command that installs into the environment, which gets a pip of its own where that is wanted or there is no other."""
    inside = [str(PYTHON), "-m", "pip"]
    if _has(str(PYTHON), "pip"):
        return inside
    if name == "run" and _pip_outside():
        return [sys.executable, "-I", "-m", "pip", "--python", str(PYTHON)]
    if _has(sys.executable, "ensurepip"):
        subprocess.run([str(PYTHON), "-m", "ensurepip"], capture_output=True, check=False)
        if _has(str(PYTHON), "pip"):
            return inside
    show("this Python has no ensurepip; fetching pip by its hash")
    try:
        wheel = _fetch_pip(Path(tempfile.mkdtemp()))
        subprocess.run([str(PYTHON), f"{wheel}/pip", "install", "-q", "--no-index", str(wheel)], check=True, env=_environment())
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(VENV, ignore_errors=True)
        raise TroubleError(f"this Python cannot install packages and pip could not be fetched: {error}\n{_one_command()}") from None
    return inside


def _has(python: str, module: str) -> bool:
    return subprocess.run([python, "-I", "-c", f"import {module}"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def _pip_outside() -> bool:
    """Whether this Python has a pip that installs into other environments (`--python`, since pip 22.3)."""
    test = "import pip; print(pip.__version__)"
    found = subprocess.run([sys.executable, "-I", "-c", test], capture_output=True, text=True, check=False).stdout.strip().split(".")
    return len(found) > 1 and found[0].isdigit() and found[1].isdigit() and (int(found[0]), int(found[1])) >= (22, 3)


def _one_command() -> str:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return f"         Run this and try again:  sudo apt-get install python{version}-venv"


def _fetch_pip(folder: Path) -> Path:
    line = next(line for line in (ROOT / "locks" / "pip.txt").read_text().splitlines() if not line.startswith("#"))
    _, url, digest = line.split()
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 -- a fixed https address, checked by hash below
        data = answer.read()
    if hashlib.sha256(data).hexdigest() != digest.removeprefix("sha256:"):
        raise TroubleError(f"{url} is not what locks/pip.txt says. Nothing was installed.")
    wheel = folder / url.rsplit("/", 1)[1]
    wheel.write_bytes(data)
    return wheel


def install(pip: list[str], lock: Path) -> None:
    """Install exactly the lock, showing one line of progress; on failure show what the installer said."""
    total = sum("==" in line and not line.startswith("#") for line in lock.read_text().splitlines())
    command = [*pip, "install", "--require-hashes", "--no-compile", "--progress-bar", "off", "-r", str(lock)]
    said: list[str] = []
    seen = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment()) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                package = line.split("==")[0].split()[-1] if "==" in line else ""
                show(f"package {min(seen, total)} of {total} {package}")
            elif line.startswith("Installing collected"):
                show("unpacking")
    if process.returncode != 0:
        text = "".join(said[-25:])
        raise TroubleError(
            f"installing {lock.relative_to(ROOT)} failed:\n{text}\n         Is the package registry reachable? Run the same command again."
        )


def _environment() -> dict[str, str]:
    return os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def show(text: str, last: bool = False) -> None:
    """One line of progress, rewritten in place on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[Kaffiant: {text}" + ("\n" if last else ""))
    else:
        sys.stderr.write(f"affiant: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
