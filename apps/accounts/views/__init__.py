"""The settings pages, one module per noun."""
