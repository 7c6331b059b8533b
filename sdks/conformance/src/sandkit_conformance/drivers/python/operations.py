"""Each operation as a call of the SDK's public surface, and what its value says as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from attrs import frozen

from sandkit import (
    CredentialProxy,
    ImageSpec,
    NetworkPolicy,
    Platform,
    PoolCapacity,
    PoolTemplate,
    RequestOptions,
    Volume,
)
from sandkit_conformance.drivers.python.recording import InexpressibleError, Recording

Fields = Mapping[str, Any]
_CREATE_FIELDS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "image": ("image", ImageSpec.from_dict),
    "snapshotId": ("snapshot", str),
    "entrypoint": ("entrypoint", lambda value: value),
    "timeout": ("timeout", lambda value: value),
    "resourceLimits": ("resource_limits", lambda value: value),
    "resourceRequests": ("resource_requests", lambda value: value),
    "env": ("env", lambda value: value),
    "metadata": ("metadata", lambda value: value),
    "volumes": ("volumes", lambda value: [Volume.from_dict(one) for one in value]),
    "platform": ("platform", Platform.from_dict),
    "networkPolicy": ("network_policy", NetworkPolicy.from_dict),
    "credentialProxy": ("credential_proxy", CredentialProxy.from_dict),
    "secureAccess": ("secure_access", lambda value: value),
    "extensions": ("extensions", lambda value: value),
}


@frozen
class Asked:
    """One call as the protocol gives it, and the SDK's options for it."""

    fields: Fields
    options: RequestOptions

    @property
    def body(self) -> Mapping[str, Any]:
        """The body, an object."""
        body = self.fields.get("body", {})
        if not isinstance(body, dict):
            raise InexpressibleError("its body is not an object")
        return body

    @property
    def query(self) -> dict[str, list[str]]:
        """Query values by name."""
        found: dict[str, list[str]] = {}
        for name, value in self.fields["query"]:
            found.setdefault(name, []).append(value)
        return found

    def path(self, name: str) -> str:
        """A path parameter."""
        return str(self.fields["pathParameters"][name])


@frozen
class Operation:
    """How an operation is called, and how its value is shown; without `show`, what came is shown."""

    call: Callable[[Any, Asked], Any]
    show: Callable[[Any, Recording], Any] | None = None


def _sandbox(call: Asked) -> str:
    return call.path("sandboxId")


def _create(client: Any, call: Asked) -> Any:
    given: dict[str, Any] = {"resource_limits": None}
    for name, value in call.body.items():
        if name not in _CREATE_FIELDS:
            raise InexpressibleError(f"create has no field {name}")
        keyword, convert = _CREATE_FIELDS[name]
        given[keyword] = convert(value)
    return client.sandboxes.create(options=call.options, **given)


def _metadata(values: list[str]) -> dict[str, str]:
    (text,) = values
    return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))


def _paging(query: dict[str, list[str]], filters: Mapping[str, str]) -> dict[str, Any]:
    known = {"page": "page", "pageSize": "page_size", **filters}
    given: dict[str, Any] = {}
    for name, values in query.items():
        if name not in known:
            raise InexpressibleError(f"the list has no filter {name}")
        if name == "state":
            given[known[name]] = values
        elif name == "metadata":
            given[known[name]] = _metadata(values)
        else:
            (value,) = values
            given[known[name]] = int(value) if name in {"page", "pageSize"} else value
    return given


def _list_sandboxes(client: Any, call: Asked) -> Any:
    given = _paging(call.query, {"state": "state", "metadata": "metadata"})
    return client.sandboxes.list(options=call.options, **given)


def _list_snapshots(client: Any, call: Asked) -> Any:
    given = _paging(call.query, {"state": "state", "name": "name", "sandboxId": "sandbox_id"})
    return client.snapshots.list(options=call.options, **given)


def _endpoint(client: Any, call: Asked) -> Any:
    given: dict[str, Any] = {}
    for name, values in call.query.items():
        (value,) = values
        if name == "use_server_proxy":
            given["through_server"] = {"true": True, "false": False}[value]
        else:
            given["expires"] = int(value)
    return client.sandboxes.endpoint(_sandbox(call), int(call.path("port")), options=call.options, **given)


def _renew(client: Any, call: Asked) -> Any:
    moment = datetime.fromisoformat(call.body["expiresAt"])
    return client.sandboxes.renew(_sandbox(call), moment, options=call.options)


def _scoped(method: str) -> Callable[[Any, Asked], Any]:
    def call_it(client: Any, call: Asked) -> Any:
        scope = call.query.get("scope", [None])[0]
        return getattr(client.sandboxes, method)(_sandbox(call), scope, options=call.options)

    return call_it


def _create_pool(client: Any, call: Asked) -> Any:
    template = PoolTemplate.from_dict(call.body["template"])
    capacity = PoolCapacity.from_dict(call.body["capacitySpec"])
    return client.pools.create(call.body["name"], template=template, capacity=capacity, options=call.options)


def _update_pool(client: Any, call: Asked) -> Any:
    capacity = PoolCapacity.from_dict(call.body["capacitySpec"])
    return client.pools.update(call.path("poolName"), capacity=capacity, options=call.options)


def _bound(value: Any, _: Recording) -> Any:
    return value.data.to_dict()


def _model(value: Any, _: Recording) -> Any:
    return value.to_dict()


def _page(value: Any, _: Recording) -> Any:
    pagination = {
        "page": value.page,
        "pageSize": value.page_size,
        "totalItems": value.total_items,
        "totalPages": value.total_pages,
        "hasNextPage": value.has_next_page,
    }
    return {"items": [item.data.to_dict() for item in value.items], "pagination": pagination}


def _show_endpoint(value: Any, recording: Recording) -> Any:
    # The SDK puts a scheme before an address that has none, so that it can be used as it is.
    url = value.url
    if f'"{url.partition("://")[2]}"'.encode() in recording.body:
        url = url.partition("://")[2]
    return {"endpoint": url, **({"headers": dict(value.headers)} if value.headers else {})}


def _instant(value: datetime, _: Recording) -> Any:
    return {"expiresAt": value.isoformat().replace("+00:00", "Z")}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "createSandbox": Operation(_create, _bound),
    "listSandboxes": Operation(_list_sandboxes, _page),
    "getSandbox": Operation(
        lambda client, call: client.sandboxes.get(_sandbox(call), options=call.options), _bound
    ),
    "deleteSandbox": Operation(
        lambda client, call: client.sandboxes.delete(_sandbox(call), options=call.options)
    ),
    "patchSandboxMetadata": Operation(
        lambda client, call: client.sandboxes.patch_metadata(_sandbox(call), call.body, options=call.options),
        _bound,
    ),
    "pauseSandbox": Operation(
        lambda client, call: client.sandboxes.pause(_sandbox(call), options=call.options)
    ),
    "resumeSandbox": Operation(
        lambda client, call: client.sandboxes.resume(_sandbox(call), options=call.options)
    ),
    "renewSandboxExpiration": Operation(_renew, _instant),
    "getSandboxEndpoint": Operation(_endpoint, _show_endpoint),
    "createSnapshot": Operation(
        lambda client, call: client.sandboxes.snapshot(
            _sandbox(call), call.body.get("name"), options=call.options
        ),
        _bound,
    ),
    "listSnapshots": Operation(_list_snapshots, _page),
    "getSnapshot": Operation(
        lambda client, call: client.snapshots.get(call.path("snapshotId"), options=call.options), _bound
    ),
    "deleteSnapshot": Operation(
        lambda client, call: client.snapshots.delete(call.path("snapshotId"), options=call.options)
    ),
    "getSandboxLogs": Operation(_scoped("logs"), lambda value, _: value),
    "getSandboxEvents": Operation(_scoped("events"), lambda value, _: value),
    "createPool": Operation(_create_pool, _model),
    "listPools": Operation(
        lambda client, call: client.pools.list(options=call.options),
        lambda value, _: {"items": [pool.to_dict() for pool in value]},
    ),
    "getPool": Operation(
        lambda client, call: client.pools.get(call.path("poolName"), options=call.options), _model
    ),
    "updatePool": Operation(_update_pool, _model),
    "deletePool": Operation(
        lambda client, call: client.pools.delete(call.path("poolName"), options=call.options)
    ),
    "getHealth": Operation(lambda client, call: client.health(options=call.options), _model),
    "getVersion": Operation(lambda client, call: client.version(options=call.options), _model),
}
