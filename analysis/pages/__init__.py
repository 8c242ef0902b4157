"""What a report holds and how it becomes pages: tables and figures in reading order, provenance, trials, PDF."""
