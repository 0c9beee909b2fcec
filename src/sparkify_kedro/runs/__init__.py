"""Runs among themselves: who is running, what killed runs have left, and how many versions are kept."""
