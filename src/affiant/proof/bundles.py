"""Entries out of a package's bundles, for `scan`. Leaves out: the archive's own safety (`package`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, List, Tuple

from .errors import CouldNotLook
from .package import Listed, Member, Package
from .rebuild import bundle_name, bundles_in
from .scan import Bundles, Source
from .tiles import unpack_bundle

MAX_BUNDLE_BYTES = 256 * 65_537


@dataclass(frozen=True)
class PackageSource(Source):
    """A package's bundles, each compared with the manifest as it is read."""

    path: str
    members: Tuple[Member, ...]

    def open(self) -> "PackageBundles":
        try:
            return PackageBundles(open(self.path, "rb"), self.members)
        except OSError as error:
            raise CouldNotLook(f"{self.path} cannot be read any more: {error.strerror}.", "Try again.") from None


class PackageBundles(Bundles):
    """An open package."""

    def __init__(self, file: IO[bytes], members: Tuple[Member, ...]) -> None:
        self._file, self._members = file, members

    def bundle(self, number: int) -> List[bytes]:
        return unpack_bundle(self._members[number].read(self._file))

    def close(self) -> None:
        self._file.close()


def package_source(package: Package, listed: "dict[str, Listed]", start: int, end: int) -> "PackageSource | str":
    """The source of a package's entries, or the name of a bundle that its range needs and that is missing or too large."""
    members = []
    for number in range(bundles_in(start, end)):
        one = listed.get(bundle_name(number))
        if one is None or one.size > MAX_BUNDLE_BYTES:
            return bundle_name(number)
        members.append(package.member(one))
    return PackageSource(package.path, tuple(members))
