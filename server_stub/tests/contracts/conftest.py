from __future__ import annotations

import pytest

pytest.register_assert_rewrite("sandkit_server.testing.contracts")
