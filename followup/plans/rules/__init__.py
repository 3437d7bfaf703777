"""What can be said about a plan without a database: in words, against another plan, for an example patient, and what is wrong."""
