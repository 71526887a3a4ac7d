"""The demonstration: real days of the market, played fast on this machine."""
