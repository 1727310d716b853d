"""What the pages are made of: state, cached questions, charts, tables and words."""
