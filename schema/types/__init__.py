"""What the API answers with: plain attributes, ready to read; what needs the database is a batched load."""
