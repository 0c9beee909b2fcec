"""The HTTP server: the newest scores and the champion that made them, without Spark or Java."""
