"""Training, calibration and evaluation, shared by modeling and backtest."""
