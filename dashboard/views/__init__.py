"""The pages: straight scripts that Streamlit runs by path. A package, so that import-linter sees them."""
