"""The store: one database that every process shares and that is the only bus."""
