"""The page that shows a live run in a browser: its server, its pictures and its own files."""
