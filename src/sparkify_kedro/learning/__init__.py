"""Fitting, calibrating and judging models of churn: what modeling and backtest share."""
