"""The screen, through its public doors."""
