"""The domain: posts, cases, triage, routes and words; plain Python without input or output."""
