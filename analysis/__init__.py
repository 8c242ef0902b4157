"""From trial directories and published values to tables, figures and a report.

Reads plan.json and the trial directories through `rdun.results`; needs neither torch nor Ray nor MLflow. The way of the data:
`frames` (files -> tidy frames) -> `measures` (one value per arm, seed and image) -> `statistics` (paired differences, intervals,
verdicts) -> `tables` and `figures` -> `report.write_report`.
"""
