"""One film: analysis, plans, renders, sound and composition. It stands on `generations`; its parts come with it."""
