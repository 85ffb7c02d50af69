"""The services: what a person can do, without a screen."""
