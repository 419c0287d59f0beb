"""An experiment in a pipeline: run, compared with a committed baseline, judged (`docs/ci.md`)."""
