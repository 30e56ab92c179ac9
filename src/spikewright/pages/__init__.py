"""Reports, tables, plots and model cards."""
