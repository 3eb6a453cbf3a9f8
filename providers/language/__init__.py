"""Language models: one contract, and an adapter for each vendor that keeps it."""
