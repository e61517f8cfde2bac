"""What the API answers with: plain attributes, ready to read; what needs the database is loaded by a data loader."""
