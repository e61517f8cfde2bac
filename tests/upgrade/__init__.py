"""The former release and this one side by side: on tables in the middle, and while processes are replaced one by one."""
