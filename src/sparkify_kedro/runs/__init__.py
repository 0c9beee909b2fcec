"""What makes runs safe side by side and one after the other: versions, lineage, and what is left of runs that died."""
