"""How exactly networks are computed: named apart, so that options do not load torch."""

FULL, FAST = "full", "fast"
PRECISIONS = (FULL, FAST)
