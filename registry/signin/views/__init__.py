"""Pages of this room: codes.py (the second factor), account.py (one's own sessions and drafts), people.py (what
administrators do for others, and the link for a new password).
"""
