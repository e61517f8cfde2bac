"""What is particular to how a schema was made: with graphql-core alone, or with a library above it."""
