"""Pages of this room: transfers.py, openings.py."""
