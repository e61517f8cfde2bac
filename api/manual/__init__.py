"""The manual over HTTP: the project's documents, the schema and the error codes, as pages that need nothing but HTML and CSS."""
