"""Runs among themselves: who is running, what versions each reads and makes of what, what is kept and what is left."""
