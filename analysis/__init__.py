"""From trial directories and published values to tables, figures and a report.

Reads plan.json, search.json and the trial directories through `rdun.results`; needs neither torch nor Ray nor MLflow.
The way of the data, each room importing only from those before it:

- `numbers`: how numbers are written, everywhere.
- `frames`: files as tidy frames, and from them one value per arm, seed and image.
- `statistics`: paired differences, intervals, claims, importances.
- `reference`: the published values, and what stands beside them here.
- `words`: sentences that never say more than the numbers do.
- `tables`, `figures`: one function each; `pages`: what a report holds, in reading order, with captions.
- `report` (of a study), `search_report`, `reproduction` (docs/reproduction.md): what is written.
"""
