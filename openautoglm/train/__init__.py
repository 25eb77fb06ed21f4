"""Training: one plain loop in time order, resumable to the bit, in one process or several."""
