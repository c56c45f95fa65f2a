"""The local page on which masks are painted, propagated, and the removal is run."""
