"""Plans as values: what a film is made of, how it is planned, edited, compared and priced. No database."""
