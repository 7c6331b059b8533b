"""What every adapter of a port must do, as suites for pytest: one class for each port of the core.

An adapter's test module makes the fixtures a suite asks for and inherits it::

    class TestClaims(ClaimStoreContract):
        @pytest.fixture
        def store(self, ...) -> ClaimStore: ...
"""
