"""Kedro hooks: one module each.

Hooks state where they run among others by ``tryfirst`` and ``trylast``, so their order in ``settings.py`` does not
matter: inputs are checked and pinned first, run locks are acquired last, and old versions are removed after the summary
has been written.
"""
