"""Failover under several cluster stacks, measured in the lab by its witness."""
