"""Money: accounts, the append-only ledger and its one writer, rate cards and prices, the integrity check."""
