"""Students trained, deployed and measured: one for `run`, many for sweeps and comparisons that workers share."""
