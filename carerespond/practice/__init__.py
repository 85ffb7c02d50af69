"""The practice network: a stand-in for X that speaks its wire format."""
