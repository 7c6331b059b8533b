"""What every claim store must do. An adapter's test class names a ``store`` fixture and inherits this."""

# ruff: noqa: D102  (what a test asserts is said by its name)

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from sandkit_server.core import ownership
from sandkit_server.core.port_errors import AlreadyExists, NotFound, VersionConflict
from sandkit_server.core.ports import Claim, ClaimStore, ClaimTemplate, OwnerReference

EDGE = OwnerReference(api_version="v1", kind="ConfigMap", name="first", uid="uid-first")
PATIENCE = 30.0
SECOND = OwnerReference(api_version="v1", kind="ConfigMap", name="second", uid="uid-second")


def _uid(edge: OwnerReference) -> str:
    return edge.uid


class ClaimStoreContract:
    """The contract of :class:`~sandkit_server.core.ports.ClaimStore`."""

    @staticmethod
    async def _make(store: ClaimStore, name: str = "data", manager: str | None = None) -> Claim:
        labels = ownership.management_labels(manager) if manager else {}
        return await store.create(ClaimTemplate(name=name, labels=labels, storage="1Gi"))

    async def _make_when_free(self, store: ClaimStore) -> Claim:
        """Make a claim whose name is taken until an engine has finished deleting the one before."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await self._make(store)
                except AlreadyExists:
                    await asyncio.sleep(0.005)

    async def test_a_claim_is_read_as_it_was_made(self, store: ClaimStore) -> None:
        made = await self._make(store, manager="sbx-1")
        assert made == await store.get("data")
        assert (made.labels, made.owners, made.terminating) == (
            ownership.management_labels("sbx-1"),
            (),
            False,
        )
        assert made.uid
        assert made.created_at.tzinfo is not None

    async def test_a_name_is_taken_once(self, store: ClaimStore) -> None:
        made = await self._make(store)
        with pytest.raises(AlreadyExists):
            await self._make(store, manager="sbx-1")
        assert await store.get("data") == made

    async def test_of_racing_creates_one_wins(self, store: ClaimStore) -> None:
        answers = await asyncio.gather(*(self._make(store) for _ in range(5)), return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["AlreadyExists"] * 4 + ["Claim"]

    async def test_what_is_not_there_is_not_found(self, store: ClaimStore) -> None:
        with pytest.raises(NotFound):
            await store.get("absent")
        with pytest.raises(NotFound):
            await store.delete("absent", "uid")
        with pytest.raises(NotFound):
            await store.add_owner("absent", "uid", EDGE)

    async def test_listing_asks_for_all_labels(self, store: ClaimStore) -> None:
        await self._make(store, "one", "sbx-1")
        await self._make(store, "two", "sbx-2")
        await self._make(store, "free")

        async def names(labels: dict[str, str]) -> list[str]:
            return sorted(claim.name for claim in await store.list(labels))

        assert await names(ownership.management_labels("sbx-1")) == ["one"]
        assert await names(ownership.managed_claims_selector()) == ["one", "two"]
        assert await names({}) == ["free", "one", "two"]

    @pytest.fixture
    async def owners(self) -> tuple[OwnerReference, OwnerReference]:
        """Two owners; an engine that collects what only absent objects own has to make real ones."""
        return EDGE, SECOND

    async def test_owners_are_added_once_and_the_others_survive(
        self, store: ClaimStore, owners: tuple[OwnerReference, OwnerReference]
    ) -> None:
        made = await self._make(store)
        first, second = owners
        for edge in (first, second, first):
            await store.add_owner("data", made.uid, edge)
        kept = (await store.get("data")).owners
        assert sorted(kept, key=_uid) == sorted(owners, key=_uid)

    async def test_a_version_tells_a_claim_from_what_it_was(
        self, store: ClaimStore, owners: tuple[OwnerReference, OwnerReference]
    ) -> None:
        made = await self._make(store)
        owned = await store.add_owner("data", made.uid, owners[0])
        assert (owned.owners, owned.terminating) == ((owners[0],), False)
        with pytest.raises(VersionConflict):
            await store.delete("data", made.uid, made.version)
        assert (await store.get("data")).owners == (owners[0],)
        while True:
            # The engine may change it as well, when it binds it.
            now = await store.get("data")
            with suppress(VersionConflict):
                await store.delete("data", now.uid, now.version)
                break

    async def test_a_uid_tells_a_claim_from_a_later_one(self, store: ClaimStore) -> None:
        first = await self._make(store)
        await store.delete("data", first.uid)
        second = await self._make_when_free(store)
        assert first.uid != second.uid
        with pytest.raises(NotFound):
            await store.delete("data", first.uid)
        with pytest.raises(NotFound):
            await store.add_owner("data", first.uid, EDGE)
        assert await store.get("data") == second
