"""Pages of this room: lists.py, enrol.py, edit.py, queries.py."""
