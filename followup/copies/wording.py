"""The text that travels with a copy."""

README = """\
COPY OF EVERYTHING ABOUT ONE PERSON
Number in the registry: {patient_id}
Site: {site}
Made: {made}

This file holds names, contacts and health data. Keep it like a medical record, and give it to the person it is about or
to somebody they sent.

What is in it
  record.pdf      what happened, to be read and printed
  person.json     every row the registry holds ({rows} rows): each column with its meaning, unit and the words for codes
  trail.json      who entered, changed, read, exported or printed something, when and why ({entries} entries)
  manifest.json   the digest (SHA-256) of each file, how many rows each table holds, and the moment of the copy
  verify_copy.py  checks that nothing in this copy was changed: python3 verify_copy.py THIS-FILE.zip

How to read trail.json
  "change"            somebody entered or corrected something; "old" and "new" say what stood there before and after
  "reading or event"  somebody looked at names, made a report, or downloaded one
  "export"            a file of many people's data was made that may hold this record; without names, unless it says so
  "at" is the time in UTC, "at_site" the time at the site.
  Where several people were read at once, the others' numbers are left out.

What is not in it
  Keys, passwords and search words: they say nothing about a person. Staff of the registry are named, because the person
  may know who read the record.

The registry removes its own copy of this file after {days} days. It can be made again.

{intended_use}
"""
