"""From a finished video to an edited one: wished for, priced, begun, followed, stopped."""
