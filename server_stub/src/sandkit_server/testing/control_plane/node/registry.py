"""An image registry as a record: what can be pulled, and what was pushed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

Files = Mapping[str, bytes]

_EMPTY: Final[Files] = MappingProxyType({})


class ImageUnavailable(Exception):  # noqa: N818 - named for what happened
    """The registry has no such image, or does not give it; the text is what a kubelet would report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A pushed image. ``files`` are all of its root filesystem that anybody wrote."""

    ref: str
    digest: str
    files: Files = field(repr=False)


class Registry:
    """Images of everybody's can be pulled by tag; those of our own repository only when they were pushed.

    Args:
        repository: Host, port and path below which images are pushed.
        unknown: Names of public images that there are not.
    """

    def __init__(self, repository: str, unknown: frozenset[str] = frozenset({"no-such-image"})) -> None:
        self._repository = repository
        self._unknown = unknown
        self._pushed: dict[str, Image] = {}

    def __iter__(self) -> Iterator[Image]:
        return iter(tuple(self._pushed.values()))

    def push(self, ref: str, files: Files) -> Image:
        """Store an image under a tag that nobody used before; an immutable registry takes no other.

        Raises ImageUnavailable.
        """
        if not ref.startswith(f"{self._repository}/"):
            raise ImageUnavailable(f"push of {ref}: not a repository of this registry")
        if ref in self._pushed:
            raise ImageUnavailable(f"push of {ref}: the tag exists, and tags are immutable")
        image = Image(ref=ref, digest=digest_of(files, ref), files=dict(files))
        self._pushed[ref] = image
        return image

    def pull(self, ref: str) -> Files:
        """The files of an image. Raises ImageUnavailable."""
        name, _, digest = ref.partition("@")
        if digest:
            found = next((image for image in self if image.digest == digest), None)
            if found is None:
                raise ImageUnavailable(f"{ref}: not found")
            return found.files
        if name.startswith(f"{self._repository}/"):
            if name not in self._pushed:
                raise ImageUnavailable(f"{ref}: not found")
            return self._pushed[name].files
        if name.partition(":")[0].rpartition("/")[2] in self._unknown:
            raise ImageUnavailable(
                f"{ref}: pull access denied, repository does not exist or may require login"
            )
        return _EMPTY

    def remove(self, ref: str) -> None:
        """Delete an image, as a registry's own garbage collection would."""
        self._pushed.pop(ref, None)


def digest_of(files: Files, salt: str = "") -> str:
    """A digest over names and contents, in the form of an image's."""
    content = hashlib.sha256(salt.encode())
    for path in sorted(files):
        content.update(f"{len(path)}:{path}{len(files[path])}:".encode())
        content.update(files[path])
    return f"sha256:{content.hexdigest()}"
