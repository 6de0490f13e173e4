"""Every table of trtlens, declared once: builders, checks, joins, docs and tests read these declarations.

Unknown is null, never 0 and never a guess. Columns never come and go. Every row that came from a log keeps its line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtlens.tables.builder_tables import BUILDER
from trtlens.tables.engine_tables import ENGINE
from trtlens.tables.measured_tables import MEASURED
from trtlens.tables.plan_tables import PLANS
from trtlens.tables.tuning_tables import TUNING

if TYPE_CHECKING:
    from trtlens.tables.schema import TableSpec

TABLES: dict[str, TableSpec] = {spec.name: spec for spec in (*ENGINE, *TUNING, *BUILDER, *MEASURED, *PLANS)}
"""Every declared table by name."""
