from __future__ import annotations

import sys

from sandkit_codegen.lint.command import main

sys.exit(main())
