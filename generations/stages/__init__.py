"""The stages of the job that makes a clip: submit, reconcile, poll, deliver."""
