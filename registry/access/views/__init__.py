"""Pages of this room: settings.py (rights, sites, accounts), history.py (the trail of one record)."""
