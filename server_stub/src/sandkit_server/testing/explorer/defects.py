"""Bugs put into the product on purpose, as data: each has to be found, or the explorer proves nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from sandkit_server.controller.committing import Cause
from sandkit_server.controller.decisions import pausing, resuming, running, sandbox, snapshot
from sandkit_server.controller.decisions.steps import delete_pod
from sandkit_server.core import ownership
from sandkit_server.core.claims import ClaimKeeper
from sandkit_server.core.ports import Claim, ClaimTemplate
from sandkit_server.core.removal import Removal
from sandkit_server.kubernetes import calls, standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import CLAIMS
from sandkit_server.runtimes.kubernetes.claims import KubernetesClaims
from sandkit_server.runtimes.kubernetes.objects import Objects
from sandkit_server.testing.mutants.mutant import Substitution, always, swap

Flow = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One bug.

    Attributes:
        id: Lower-case words with hyphens.
        defect: What a careless implementer would really do, in one sentence.
        scenario: The one that finds it.
        finds: Words of the promise it breaks.
    """

    id: str
    defect: str
    scenario: str
    finds: str
    substitutions: tuple[Substitution, ...]

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put it in for the length of the block, in this process only."""
        with ExitStack() as stack:
            for substitution in self.substitutions:
                stack.enter_context(substitution.installed())
            yield


def _sweep_first(original: Flow) -> Flow:
    async def delete_workload(self: Removal, sandbox_id: str) -> Any:
        await self._claims.sweep(sandbox_id)
        return await original(self, sandbox_id)

    return delete_workload


def _nothing(_original: Flow) -> Flow:
    async def do_nothing(*_arguments: Any) -> None:
        return None

    return do_nothing


def _label_later(original: Flow) -> Flow:
    async def create(self: KubernetesClaims, template: ClaimTemplate) -> Claim:
        await original(self, replace(template, labels={}))
        await self._cluster.send(
            calls.merge(CLAIMS, template.name, {"metadata": {"labels": dict(template.labels)}})
        )
        return await self.get(template.name)

    return create


def _without(field: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **fields: original(
            *arguments, **{name: value for name, value in fields.items() if name != field}
        )

    return make


def _ready_already(original: Callable[..., Any]) -> Callable[..., Any]:
    def named(*arguments: Any) -> Object | None:
        found = original(*arguments)
        return None if found is None else {**found, "status": {**found.get("status", {}), "phase": "Succeed"}}

    return named


def _expire_whatever_it_is(original: Callable[..., Any]) -> Callable[..., Any]:
    def expire(view: Any) -> Any:
        decision = original(view)
        return replace(decision, call=replace(decision.call, resource_version=None))

    return expire


def _change_whatever_it_is(_original: Flow) -> Flow:
    async def change(self: Objects, name: str, version: str, patch: Object) -> Object:  # noqa: ARG001
        return await self.replace(name, patch)

    return change


def _forget_creates(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda claims, living, _under_way, born_before: original(claims, living, (), born_before)


def _delete_in_background(original: Flow) -> Flow:
    async def delete(self: Objects, name: str, version: str | None = None, **_more: Any) -> None:
        await original(self, name, version)

    return delete


def _from_the_template(original: Callable[..., Any]) -> Callable[..., Any]:
    def resumed(obj: Object, _images: Mapping[str, str], config: Any) -> Any:
        containers = obj["spec"]["template"]["spec"]["containers"]
        return original(obj, {each["name"]: each["image"] for each in containers}, config)

    return resumed


def _fail_at_once(_original: Callable[..., Any]) -> Callable[..., Any]:
    def release(view: Any, now: Any, _config: Any) -> Any:
        noted = standing.condition(view.snapshot, snapshot.FAILED)
        assert noted is not None, "it was noted"
        return snapshot._fail(view.snapshot, now, Cause(noted["reason"], noted["message"]))

    return release


class _BlindToDeletion:
    """The module, as code that never looks at deletion timestamps would use it."""

    def __getattr__(self, name: str) -> Any:
        return (lambda _obj: None) if name == "deletion_of" else getattr(standing, name)


def _drop_pod_at_once(original: Callable[..., Any]) -> Callable[..., Any]:
    def begin(view: Any, attempt: int, now: Any, config: Any) -> Any:
        live = [pod for pod in view.pods if "deletionTimestamp" not in pod["metadata"]]
        return delete_pod(live[0]) if live else original(view, attempt, now, config)

    return begin


def _forget_snapshots(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda view: original(replace(view, snapshots=()))


_DEFECTS: Final = (
    Defect(
        id="sweep-before-delete",
        defect="A delete sweeps the claims first and deletes the workload afterwards.",
        scenario="expiry-and-renewal",
        finds="is deleted, and the sandbox lives",
        substitutions=swap(Removal, "_delete_workload", _sweep_first),
    ),
    Defect(
        id="owner-reference-dropped",
        defect="The claims of a sandbox get no owner reference.",
        scenario="creates-and-deletes",
        finds="has no owner",
        substitutions=swap(ClaimKeeper, "own", _nothing),
    ),
    Defect(
        id="flag-set-after-create-returns",
        defect="A claim is made first, and labelled as managed by a second call.",
        scenario="creates-and-deletes",
        finds="is left of sandbox",
        substitutions=swap(KubernetesClaims, "create", _label_later),
    ),
    Defect(
        id="re-entry-without-observed-generation",
        defect="A pause is acted on without noting which generation asked for it.",
        scenario="a-pause-that-fails",
        finds="never comes to rest",
        substitutions=(
            *swap(running, "turn", _without("pauseObservedGeneration")),
            *swap(pausing, "closing", always({})),
        ),
    ),
    Defect(
        id="pod-deleted-before-snapshot-ready",
        defect="A pause takes the snapshot's existence for its being ready.",
        scenario="pauses-and-resumes",
        finds="whose snapshot is not ready",
        substitutions=swap(pausing, "_named", _ready_already),
    ),
    Defect(
        id="compute-released-first",
        defect="A pause gives the pod back before it takes the snapshot.",
        scenario="pauses-and-resumes",
        finds="whose snapshot is not ready",
        substitutions=swap(pausing, "_begin", _drop_pod_at_once),
    ),
    Defect(
        id="expiry-without-version",
        defect="An expired sandbox is deleted whatever became of it since it was read.",
        scenario="a-renewal-in-time",
        finds="although it was renewed",
        substitutions=swap(sandbox, "_expire", _expire_whatever_it_is),
    ),
    Defect(
        id="intent-without-version",
        defect="Pauses and resumes are recorded without comparing the version that was read.",
        scenario="pauses-and-resumes",
        finds="nothing began by it",
        substitutions=swap(Objects, "change", _change_whatever_it_is),
    ),
    Defect(
        id="look-forgets-creates-under-way",
        defect="The reconciler reclaims claims of creates that are still under way.",
        scenario="creates-and-deletes",
        finds="is deleted, and the sandbox lives",
        substitutions=(
            *swap(ownership, "orphaned", _forget_creates),
            *swap(Removal, "reclaim", lambda _original: _discard),
        ),
    ),
    Defect(
        id="roll-back-sweeps-whatever-the-delete-said",
        defect="After a failed create the claims are swept although the workload could not be deleted.",
        scenario="creates-and-deletes",
        finds="is deleted, and the sandbox lives",
        substitutions=swap(ownership, "may_sweep", always(True)),
    ),
    Defect(
        id="resume-ignores-the-snapshot",
        defect="A resume starts the pod from the template, not from what the pause has kept.",
        scenario="resumes",
        finds="not what its pause has kept",
        substitutions=swap(resuming, "resumed_pod", _from_the_template),
    ),
    Defect(
        id="killed-commit-releases-nobody",
        defect="A commit that was killed is failed at once, and its source stays frozen.",
        scenario="a-pause-that-fails",
        finds="frozen processes",
        substitutions=swap(snapshot, "_release", _fail_at_once),
    ),
    Defect(
        id="failed-keeps-its-snapshot",
        defect="A sandbox that is lost during a pause keeps the snapshot of that.",
        scenario="a-pause-that-fails",
        finds="is Failed and still has",
        substitutions=swap(sandbox, "_rest_failed", _forget_snapshots),
    ),
    Defect(
        id="delete-in-background",
        defect="A delete lets the object vanish at once, so that nobody ever sees it Stopping.",
        scenario="expiry-and-renewal",
        finds="without being seen Stopping",
        substitutions=swap(Objects, "delete", _delete_in_background),
    ),
    Defect(
        id="controller-acts-on-the-deleted",
        defect="The controller goes on with a sandbox whose deletion was accepted.",
        scenario="creates-and-deletes",
        finds="never comes to rest",
        substitutions=swap(sandbox, "standing", lambda _original: _BlindToDeletion()),
    ),
)


async def _discard(self: Removal, claim: Claim) -> None:
    await self._claims.discard(claim)


DEFECTS: Final[Mapping[str, Defect]] = {each.id: each for each in _DEFECTS}
