"""The comparison report: a page, a Markdown file, and every figure and table as a file of its own."""
