"""The only place that runs SQL or opens files."""
