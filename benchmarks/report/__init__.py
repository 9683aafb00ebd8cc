"""Results as a page in HTML or Markdown, with tables, plots and pictures."""
