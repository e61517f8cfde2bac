"""What is written from the code for readers: the pages about events, and the pictures of the lifecycle."""
