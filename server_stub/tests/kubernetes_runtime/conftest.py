from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from sandkit_server.testing.backstage import AbstractCluster, Backstage


@pytest.fixture
def cluster() -> AbstractCluster:
    return AbstractCluster(now=lambda: datetime.now(UTC))


@pytest.fixture
async def backstage(cluster: AbstractCluster) -> AsyncIterator[Backstage]:
    made = Backstage(cluster)
    made.start()
    yield made
    await made.stop()
