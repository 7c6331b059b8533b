"""What to do next about a SandboxSnapshot: check, commit by a job, and never leave the source frozen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sandkit_server.controller import committing, pods
from sandkit_server.controller.committing import Cause
from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import REST, Decision, Note
from sandkit_server.controller.manifests.jobs import Source, Task, commit_job, release_job
from sandkit_server.controller.ownership import is_owned
from sandkit_server.controller.status import Verdict, write_status
from sandkit_server.controller.views import SnapshotView
from sandkit_server.core.model import SandboxState
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Call, Object, Verb, create, delete, get
from sandkit_server.kubernetes.resources import (
    JOBS,
    PURPOSE_LABEL,
    PURPOSE_PAUSE,
    SECRETS,
    SNAPSHOTS,
    TASK_LABEL,
)
from sandkit_server.kubernetes.standing import Phase, SnapshotPhase

READY: Final = "Ready"
FAILED: Final = "Failed"
SOURCE_GONE: Final = "SourceGone"


def decide(view: SnapshotView, now: datetime, config: Config) -> Decision:
    """The next step. One that is being deleted is the garbage collector's alone."""
    if standing.deletion_of(view.snapshot) is not None:
        return REST
    phase = standing.snapshot_phase_of(view.snapshot)
    if phase is SnapshotPhase.PENDING:
        return _begin(view, now, config)
    if phase is SnapshotPhase.COMMITTING:
        return _go_on(view, now, config)
    return _clear_away(view)


def _begin(view: SnapshotView, now: datetime, config: Config) -> Decision:
    """Check everything before anything is frozen, then note what is going to be committed."""
    if (obstacle := committing.configuration_obstacle(config)) is not None:
        return _fail(view.snapshot, now, obstacle)
    found = _source(view, config)
    if isinstance(found, Cause):
        return _fail(view.snapshot, now, found)
    if any(standing.snapshot_phase_of(each) is SnapshotPhase.COMMITTING for each in view.others):
        return REST  # one at a time; its end brings this one back here
    if view.facts.push_secret is None:
        return Decision(call=get(SECRETS, str(config.push_secret)))
    if (obstacle := committing.secret_obstacle(config, view.facts.push_secret)) is not None:
        return _fail(view.snapshot, now, obstacle)
    return _write(
        view.snapshot,
        now,
        phase=SnapshotPhase.COMMITTING,
        containers=committing.planned_containers(found),
        sourcePodName=found.pod,
        sourcePodUid=found.pod_uid,
        sourceNodeName=found.node,
    )


def _go_on(view: SnapshotView, now: datetime, config: Config) -> Decision:
    """By the commit job; a failure that was noted leads through the release of the source, never back."""
    noted = standing.condition(view.snapshot, FAILED)
    if noted is not None and noted["status"] == "True":
        return _release(view, now, config)
    job = _job(view, Task.COMMIT)
    if job is None:
        return _commit(view, now, config)
    containers = committing.committed_containers(view.snapshot, _pods_of(view, job))
    if containers is not None:
        # The committer's own word is enough: the job controller counts ended pods once a second, if at all.
        return _complete(view.snapshot, now, containers)
    outcome = _outcome(job)
    if outcome == "Complete":
        return _await_report(view, job, now, config)
    if outcome == "Failed":
        return _note_failure(view.snapshot, now, committing.failure_of(job, _pods_of(view, job)))
    return REST


def _commit(view: SnapshotView, now: datetime, config: Config) -> Decision:
    source = _source(view, config)
    if isinstance(source, Cause):
        return _fail(view.snapshot, now, source)
    if not _is_same(view, source):
        return _fail(view.snapshot, now, _GONE)
    return _make(view, commit_job(view.snapshot, source, config), now)


def _complete(snapshot: Object, now: datetime, containers: list[dict[str, str]]) -> Decision:
    """Ready only with the digest of every container (FLT-12)."""
    verdict = Verdict(READY, True, "Committed", "Every container's image was pushed.")
    note = Note(reason="Committed", message="Every container's image was pushed.")
    return _write(snapshot, now, [verdict], note, phase=SnapshotPhase.SUCCEED, containers=containers)


def _await_report(view: SnapshotView, job: Object, now: datetime, config: Config) -> Decision:
    """The job may be known to have ended before its pod is; a report that stays away is a failure."""
    left = (_ended_at(job, now) - now).total_seconds() + config.result_grace
    if left > 0:
        return REST.no_later_than(left)
    cause = Cause(committing.COMMIT_FAILED, "The committer did not report the image of every container.")
    return _note_failure(view.snapshot, now, cause)


def _release(view: SnapshotView, now: datetime, config: Config) -> Decision:
    """Let the source run on, as often as it takes, and only then call it failed (FLT-05)."""
    job = _job(view, Task.RELEASE)
    outcome = None if job is None else _outcome(job)
    source = _source(view, config, whatever_state=True)
    if isinstance(source, Cause) or not _is_same(view, source) or outcome == "Complete":
        cause = standing.condition(view.snapshot, FAILED)
        assert cause is not None, "it was noted"
        return _fail(view.snapshot, now, Cause(cause["reason"], cause["message"]))
    if job is None:
        return _make(view, release_job(view.snapshot, source, config), now)
    return Decision(call=_delete_job(job)) if outcome == "Failed" else REST


def _make(view: SnapshotView, body: Mapping[str, Any], now: datetime) -> Decision:
    error = view.facts.refused(Verb.CREATE, body["metadata"]["name"])
    if error is None:
        return Decision(call=create(JOBS, body))
    if body["metadata"]["labels"][TASK_LABEL] == Task.RELEASE:
        return REST  # tried again; giving up would leave the source frozen
    return _fail(view.snapshot, now, Cause("CommitJobRefused", pods.as_message(error.message)))


def _clear_away(view: SnapshotView) -> Decision:
    """A final snapshot has no use for its jobs."""
    for job in view.jobs:
        if standing.deletion_of(job) is None:
            return Decision(call=_delete_job(job))
    return REST


def _source(view: SnapshotView, config: Config, *, whatever_state: bool = False) -> Source | Cause:
    """The pod to commit, of a sandbox in a state that allows it, or why there is none."""
    sandbox = view.sandbox
    if sandbox is None or not (whatever_state or _may_commit(view.snapshot, sandbox)):
        return _GONE
    name = standing.status_of(sandbox).get("podName")
    pod = next((pod for pod in view.pods if pod["metadata"]["name"] == name), None)
    if pod is None or pods.loss_of(pod) is not None:
        return _GONE
    return committing.source_of(pod, sandbox, view.snapshot["metadata"]["name"], config)


def _may_commit(snapshot: Object, sandbox: Object) -> bool:
    """A pause commits during its own attempt; a user's snapshot, while the sandbox is up."""
    if standing.deletion_of(sandbox) is not None:
        return False
    if snapshot["metadata"].get("labels", {}).get(PURPOSE_LABEL) == PURPOSE_PAUSE:
        return standing.phase_of(sandbox) is Phase.PAUSING and pods.attempt_of(
            snapshot
        ) == standing.acted_generation(sandbox)
    return standing.state_of(sandbox).state in (SandboxState.RUNNING, SandboxState.PAUSING)


def _is_same(view: SnapshotView, source: Source) -> bool:
    return source.pod_uid == standing.status_of(view.snapshot).get("sourcePodUid")


def _job(view: SnapshotView, task: Task) -> Object | None:
    return next((job for job in view.jobs if job["metadata"]["labels"].get(TASK_LABEL) == task), None)


def _pods_of(view: SnapshotView, job: Object) -> list[Object]:
    return [pod for pod in view.job_pods if is_owned(pod, job)]


def _outcome(job: Object) -> str | None:
    """``Complete`` or ``Failed`` once the job has ended and its pods with it."""
    for kind in ("Complete", "Failed"):
        if standing.holds(job, kind):
            return kind
    return None


def _ended_at(job: Object, now: datetime) -> datetime:
    text = standing.status_of(job).get("completionTime")
    return now if text is None else standing.instant(text)


def _delete_job(job: Object) -> Call:
    metadata = job["metadata"]
    return delete(JOBS, metadata["name"], uid=metadata["uid"])


def _note_failure(snapshot: Object, now: datetime, cause: Cause) -> Decision:
    """Not final yet: the cause is kept where a restart finds it, while the source is being released."""
    return _write(snapshot, now, [Verdict(FAILED, True, cause.reason, cause.message)])


def _fail(snapshot: Object, now: datetime, cause: Cause) -> Decision:
    verdict = Verdict(FAILED, True, cause.reason, cause.message)
    note = Note(reason=cause.reason, message=cause.message, warning=True)
    return _write(snapshot, now, [verdict], note, phase=SnapshotPhase.FAILED)


def _write(
    snapshot: Object,
    now: datetime,
    verdicts: list[Verdict] | None = None,
    note: Note | None = None,
    **fields: Any,
) -> Decision:
    generation = standing.generation_of(snapshot)
    call = write_status(SNAPSHOTS, snapshot, now, verdicts or [], observedGeneration=generation, **fields)
    return REST if call is None else Decision(call=call, note=note)


_GONE: Final = Cause(SOURCE_GONE, "The sandbox stopped running before it was committed.")
