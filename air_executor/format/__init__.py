"""The job format: what stands in `state.json` and `tasks.json`, and how it is read and written."""
