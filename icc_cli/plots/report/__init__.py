"""The report: one HTML page that holds the ranking, the figures, and what was run; it fetches nothing."""
