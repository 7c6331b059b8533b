"""A trace taken on a cluster, abstract or real: the same writes, and the same promises judged of the outcome.

What the model does as server, controller and node is sent; what it does as garbage collector is waited for,
as a real cluster has its own. Uids and versions are the cluster's, so they are translated on the way. Commits
are not replayed: a real cluster's job controller would run jobs itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from sandkit_server.core.port_errors import NotFound, PortError
from sandkit_server.kubernetes.calls import Call, Cluster, Object, Verb, create, get, list_all, merge_status
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, JOBS, PODS, SECRETS, SNAPSHOTS
from sandkit_server.testing.cluster.node import NODE
from sandkit_server.testing.cluster.state import Key
from sandkit_server.testing.explorer.boards import Board
from sandkit_server.testing.explorer.nature import FROZEN
from sandkit_server.testing.explorer.promises import Change, unquiet
from sandkit_server.testing.explorer.scenarios import FOREIGN, Stage
from sandkit_server.testing.explorer.traces import Trace, walk

# Owners first.
_KINDS: Final = (BATCH_SANDBOXES, SNAPSHOTS, CLAIMS, SECRETS, PODS)
_COLLECTOR: Final = "garbage collector"
# What a cluster sets by itself on a new object.
_ASSIGNED: Final = frozenset(
    {"uid", "resourceVersion", "creationTimestamp", "generation", "namespace", "finalizers"}
)

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Stored = Mapping[Key, Object]


class NotReplayableError(ValueError):
    """The trace has commits in it."""


@dataclass(slots=True)
class _Translation:
    """The cluster's uids and versions for the model's."""

    uids: dict[str, str] = field(default_factory=dict)
    versions: dict[tuple[Key, str], str] = field(default_factory=dict)

    def learn(self, key: Key, ours: Object, theirs: Object) -> None:
        self.uids[ours["metadata"]["uid"]] = theirs["metadata"]["uid"]
        self.versions[key, ours["metadata"]["resourceVersion"]] = theirs["metadata"]["resourceVersion"]

    def call(self, call: Call) -> Call:
        key = Key(call.resource, call.name)
        body: dict[str, Any] | None = self._value(call.body)
        if body is not None and "resourceVersion" in body.get("metadata", {}):
            known = self.versions.get((key, body["metadata"]["resourceVersion"]), "1")
            body = {**body, "metadata": {**body["metadata"], "resourceVersion": known}}
        if call.verb is Verb.CREATE and call.resource == PODS and body is not None:
            # Nobody binds pods here; one on a node is ended by the node's agent, as in the model.
            body = {**body, "spec": {**body["spec"], "nodeName": NODE}}
        version = call.resource_version
        return replace(
            call,
            body=body,
            uid=None if call.uid is None else self.uids.get(call.uid, call.uid),
            resource_version=None if version is None else self.versions.get((key, version), "1"),
        )

    def _value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._value(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(item) for item in value]
        return self.uids.get(value, value) if isinstance(value, str) else value


class Replay:
    """One trace on one cluster; the namespace is empty to begin with."""

    def __init__(self, stage: Stage, trace: Trace, cluster: Cluster, eventually: Eventually) -> None:
        self._stage = stage
        self._trace = trace
        self._cluster = cluster
        self._eventually = eventually
        self._translation = _Translation()

    async def run(self) -> str | None:
        """The promise that is broken there. Raises NotReplayableError, and UnknownStepError."""
        boards = self._stage.boards
        board, now = self._stage.world.begin().board, boards.instants[0]
        await self._given(boards.objects(board))
        before = await self._stored()
        for state, step in walk(self._stage, self._trace):
            actor, now = step.label.partition(":")[0], boards.instants[state.time]
            board = await self._take(board, step.writes, state.time, collected=actor == _COLLECTOR)
            after = await self._stored()
            broken = Change(before, after).broken(actor, (FOREIGN,), now)
            if broken is not None:
                return broken
            before = after
        return unquiet(before, now, last=False)

    async def _given(self, objects: Stored) -> None:
        """Make what the scenario begins with."""
        for resource in _KINDS:
            for key, ours in objects.items():
                if key.resource != resource:
                    continue
                metadata = {name: each for name, each in ours["metadata"].items() if name not in _ASSIGNED}
                body = {
                    **{name: each for name, each in ours.items() if name != "status"},
                    "metadata": metadata,
                }
                made = await self._cluster.send(self._translation.call(create(resource, body)))
                self._translation.learn(key, ours, made)
                if "status" in ours and resource != CLAIMS:
                    made = await self._cluster.send(merge_status(resource, key.name, ours["status"]))
                    self._translation.learn(key, ours, made)

    async def _take(self, board: Board, writes: Iterable[int], time: int, *, collected: bool) -> Board:
        for number in writes:
            call = self._stage.library.calls[number]
            key = Key(call.resource, call.name)
            board = self._stage.boards.apply(board, number, time).board
            ours = self._stage.boards.find(board, call.resource, call.name)
            if call.resource == JOBS:
                raise NotReplayableError("a commit cannot be replayed: a real cluster runs jobs itself")
            if call.resource == FROZEN or _binds(call):
                continue
            if collected:
                await self._eventually(partial(self._is_like, key, ours))
            else:
                await self._send(call)
            if ours is not None and (theirs := await self._find(key)) is not None:
                self._translation.learn(key, ours, theirs)
        return board

    async def _send(self, call: Call) -> None:
        """A refusal is what the model expects, or shows in what is judged."""
        try:
            await self._cluster.send(self._translation.call(call))
        except PortError:
            return

    async def _is_like(self, key: Key, ours: Object | None) -> bool:
        """Whether the cluster's own collector has come as far; it may have gone further."""
        theirs = await self._find(key)
        if ours is None or theirs is None:
            return theirs is None
        return ("deletionTimestamp" in theirs["metadata"]) >= ("deletionTimestamp" in ours["metadata"])

    async def _find(self, key: Key) -> Object | None:
        try:
            return await self._cluster.send(get(key.resource, key.name))
        except NotFound:
            return None

    async def _stored(self) -> Stored:
        stored = {}
        for resource in _KINDS:
            listed = await self._cluster.send(list_all(resource))
            for item in listed["items"]:
                # Lists name their kind once.
                whole = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
                stored[Key(resource, item["metadata"]["name"])] = whole
        return stored


def _binds(call: Call) -> bool:
    return (
        call.resource == PODS and call.verb is Verb.PATCH and "nodeName" in (call.body or {}).get("spec", {})
    )
