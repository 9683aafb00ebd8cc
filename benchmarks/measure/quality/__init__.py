"""The quality of a method: against clear pictures, on photographs, and on clear pictures."""
