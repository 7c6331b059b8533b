"""Disturbing an engine on purpose: a clock that can be moved, faults and gates at its steps, their control.

Every engine made for tests has it: the one in memory, and the control-plane harness. It knows no engine.
"""
