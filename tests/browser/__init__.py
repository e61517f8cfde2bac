"""The pages and components in a real browser, on a whole deployment: what people see, and may do."""
