"""The controller of BatchSandbox, SandboxSnapshot and Pool: level-triggered, one pure decision per step.

``views`` gather what is known about one object, ``decisions`` say what to do next (at most one call),
``manifests`` say what is made; all three are pure. ``reconciling`` carries decisions out, ``main`` composes.
"""
