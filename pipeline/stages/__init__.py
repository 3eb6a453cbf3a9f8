"""What is done for a film, one stage a module: intent, call, result, as `workers.jobs.Stage` has them."""
