"""The product as a whole, with its processes and engines, over a stretch of time."""
