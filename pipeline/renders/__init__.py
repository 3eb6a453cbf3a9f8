"""From a plan version to a film: priced, begun, moved on, stopped, composed."""
