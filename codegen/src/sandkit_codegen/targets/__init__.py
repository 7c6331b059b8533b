"""What is generated, one package per target; targets share nothing but the modules above them."""

from __future__ import annotations
