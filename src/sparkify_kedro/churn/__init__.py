"""The domain's vocabulary: names of keys and pages, the feature registry, and the reports that pass between nodes."""
